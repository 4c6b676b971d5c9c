using AutoTicket.Mailbox;

namespace AutoTicket.Components.Tickets;

/// <summary>Which open tickets the page shows. It is kept in the URL, so that a view can be linked.</summary>
/// <param name="Kind">Only tickets of this kind.</param>
public sealed record TicketFilter(TicketKind? Kind = null)
{
    private const string SurfaceWord = "surface";
    private const string AlertWord = "alert";

    /// <summary>Reads <c>kind</c> from the query string; an unknown value shows all.</summary>
    public static TicketFilter FromQuery(string? kind) =>
        new(
            kind switch
            {
                SurfaceWord => TicketKind.Surface,
                AlertWord => TicketKind.Alert,
                _ => null,
            }
        );

    /// <summary>The query parameters that <see cref="FromQuery"/> reads; null removes one.</summary>
    public IReadOnlyDictionary<string, object?> ToQuery() => new Dictionary<string, object?> { ["kind"] = Word(Kind) };

    public bool Shows(OpenTicket ticket) => Kind is null || ticket.Kind == Kind;

    public static string? Word(TicketKind? kind) =>
        kind switch
        {
            TicketKind.Surface => SurfaceWord,
            TicketKind.Alert => AlertWord,
            _ => null,
        };
}
