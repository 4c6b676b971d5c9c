using System.Globalization;

namespace AutoTicket.Tickets;

/// <summary>A ticket as people call it. FreeScout may count apart from its ids, so an id is never shown in a number's place.</summary>
internal static class TicketNumber
{
    /// <param name="number">Null: FreeScout has not told it yet.</param>
    public static string Of(long? number) => number is { } known ? string.Create(CultureInfo.InvariantCulture, $"#{known}") : "#?";
}
