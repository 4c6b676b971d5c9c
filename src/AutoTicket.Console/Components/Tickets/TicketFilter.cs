using System.Globalization;
using AutoTicket.Mailbox;
using AutoTicket.Tickets;

namespace AutoTicket.Components.Tickets;

/// <summary>Whose tickets are shown.</summary>
public enum TicketHolder
{
    Anyone,

    /// <summary>The signed-in user's.</summary>
    Mine,
    Nobody,
}

/// <summary>Which open tickets the page shows, and in which order. It is kept in the URL, so that a view can be linked.</summary>
/// <param name="Kind">Only tickets of this kind.</param>
/// <param name="Search">Part of a surface, subject or number; empty for all.</param>
/// <param name="Sort">The column to sort by.</param>
/// <param name="Page">Counts from 1.</param>
/// <param name="Holder">Only tickets of whom.</param>
public sealed record TicketFilter(
    TicketKind? Kind = null,
    string Search = "",
    string Sort = TicketFilter.DefaultSort,
    bool IsDescending = false,
    int Page = 1,
    TicketHolder Holder = TicketHolder.Anyone
)
{
    private const string DefaultSort = "severity";
    private const string SurfaceWord = "surface";
    private const string AlertWord = "alert";
    private const string MineWord = "mine";
    private const string NobodyWord = "nobody";

    /// <summary>Reads <c>kind</c>, <c>q</c>, <c>sort</c> (<c>-age</c> is descending), <c>page</c> and <c>assignee</c> from the query
    /// string. An unknown kind or assignee shows all.</summary>
    public static TicketFilter FromQuery(string? kind, string? search, string? sort, string? page, string? assignee = null) =>
        new(
            kind switch
            {
                SurfaceWord => TicketKind.Surface,
                AlertWord => TicketKind.Alert,
                _ => null,
            },
            search ?? "",
            sort?.TrimStart('-') is { Length: > 0 } column ? column : DefaultSort,
            sort?.StartsWith('-') == true,
            int.TryParse(page, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 1 ? number : 1,
            assignee switch
            {
                MineWord => TicketHolder.Mine,
                NobodyWord => TicketHolder.Nobody,
                _ => TicketHolder.Anyone,
            }
        );

    /// <summary>The query parameters that <see cref="FromQuery"/> reads; null removes one.</summary>
    public IReadOnlyDictionary<string, object?> ToQuery() =>
        new Dictionary<string, object?>
        {
            ["kind"] = Word(Kind),
            ["q"] = Search is "" ? null : Search,
            ["sort"] =
                IsDescending ? $"-{Sort}"
                : Sort == DefaultSort ? null
                : Sort,
            ["page"] = Page == 1 ? null : Page.ToString(CultureInfo.InvariantCulture),
            ["assignee"] = Holder switch
            {
                TicketHolder.Mine => MineWord,
                TicketHolder.Nobody => NobodyWord,
                _ => null,
            },
        };

    /// <param name="email">The signed-in user's e-mail address.</param>
    public bool Shows(OpenTicket ticket, string? email) =>
        (Kind is null || ticket.Kind == Kind)
        && Holder switch
        {
            TicketHolder.Mine => ticket.Assignee?.Is(email) == true,
            TicketHolder.Nobody => ticket.Assignee is null,
            _ => true,
        };

    /// <summary>Whether the row is shown: <see cref="Shows"/>, and the search.</summary>
    /// <param name="email">The signed-in user's e-mail address.</param>
    public bool Matches(TicketRow row, string? email)
    {
        return Shows(row.Ticket, email)
            && (
                string.IsNullOrWhiteSpace(Search)
                || Contains(row.Surface)
                || Contains(row.Ticket.Surface)
                || Contains(row.Ticket.Subject)
                || Contains(TicketNumber.Of(row.Ticket.Number))
            );

        bool Contains(string? text) => text?.Contains(Search.Trim(), StringComparison.OrdinalIgnoreCase) is true;
    }

    public static string? Word(TicketKind? kind) =>
        kind switch
        {
            TicketKind.Surface => SurfaceWord,
            TicketKind.Alert => AlertWord,
            _ => null,
        };
}
