using AutoTicket.Alerts;

namespace AutoTicket.Tickets;

/// <summary>The tags that say what an automatic ticket is about.</summary>
internal static class TicketTags
{
    /// <summary>About an outage of a surface. The dashboard lists these.</summary>
    public const string Status = "auto:status";

    /// <summary>About any other alert.</summary>
    public const string Alert = "auto:alert";

    public static string Of(Alert alert) => alert.IsSurfaceOutage ? Status : Alert;
}
