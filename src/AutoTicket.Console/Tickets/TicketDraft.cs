using System.Globalization;
using System.Net;
using System.Text;
using AutoTicket.FreeScout;
using AutoTicket.Surfaces;

namespace AutoTicket.Tickets;

/// <summary>What a ticket is to say, before it has a marker.</summary>
/// <param name="DedupKey">The <c>alert_id</c> of what it is about.</param>
/// <param name="Tag"><c>auto:status</c> for a surface, <c>auto:alert</c> for other alerts.</param>
/// <param name="AuditAction">What the audit log calls the filing.</param>
/// <param name="Title">One line for the subject.</param>
/// <param name="Facts">Label and text, one row each; all of it is escaped.</param>
/// <param name="IsForAlert">An alert has one ticket for as long as it is open, however old; a click's window is <see cref="TicketingOptions.Window"/>.</param>
internal sealed record TicketDraft(
    string DedupKey,
    string? SurfaceKey,
    Severity Severity,
    string Tag,
    string AuditAction,
    string FiledBy,
    string Title,
    IReadOnlyList<(string Label, string Text)> Facts,
    bool IsForAlert = false)
{
    /// <summary>FreeScout cuts a subject at 998 characters, silently; ours stays far below so that the marker survives.</summary>
    private const int LongestTitle = 180;

    /// <summary>What the tag of the severity begins with; a ticket has one such.</summary>
    public const string SeverityTag = "sev:";

    /// <summary>What the tag of the surface begins with.</summary>
    public const string SurfaceTag = "surface:";

    public string AlertKey => Alerts.AlertIdentity.KeyOf(DedupKey);

    /// <summary>The title as it can be stored and sent: one line, cut, without what no database takes.</summary>
    public string Subject => OneLine(Title);

    public IReadOnlyList<string> Tags => TagsOf(Tag, Severity, SurfaceKey);

    /// <param name="older">An earlier ticket about the same, to link.</param>
    public ConversationDraft Write(string marker, TicketLink? older)
    {
        var html = new StringBuilder("<table>");
        foreach (var (label, text) in Facts)
        {
            Row(html, label, Lines(text));
        }

        if (older is not null)
        {
            Row(html, "Earlier ticket", $"<a href=\"{WebUtility.HtmlEncode(older.Url)}\">#{older.Number}</a>");
        }

        Row(html, "Dedup key", $"<code>{WebUtility.HtmlEncode(DedupKey)}</code>");
        Row(html, "Marker", $"<code>{marker}</code>");
        html.Append("</table><p>Filed by AutoTicket Console. It is never resolved by the console: resolve it when the surface is well again.</p>");
        return new ConversationDraft($"{Subject} [{marker}]", html.ToString());
    }

    public static IReadOnlyList<string> TagsOf(string tag, Severity severity, string? surfaceKey) =>
        [tag, $"{SeverityTag}{severity.ToString().ToLowerInvariant()}", .. surfaceKey is null ? Array.Empty<string>() : [$"{SurfaceTag}{surfaceKey}"]];

    private static void Row(StringBuilder html, string label, string valueHtml) =>
        html.Append(CultureInfo.InvariantCulture, $"<tr><th align=\"left\">{WebUtility.HtmlEncode(label)}</th><td>{valueHtml}</td></tr>");

    /// <summary>FreeScout shows a thread as HTML: a line break of ours must be one of HTML's.</summary>
    private static string Lines(string text) => WebUtility.HtmlEncode(Printable(text.ReplaceLineEndings("\n"))).ReplaceLineEndings("<br>");

    /// <summary>PostgreSQL takes neither a NUL nor half a surrogate pair.</summary>
    private static string Printable(string text) => string.Concat(text.EnumerateRunes().Select(rune => Rune.IsControl(rune) && rune.Value != '\n' ? " " : rune.ToString()));

    /// <summary>Cut by whole characters as people count them, so that no emoji is torn.</summary>
    private static string OneLine(string text)
    {
        var line = Printable(text).Replace('\n', ' ').Trim();
        if (line.Length <= LongestTitle)
        {
            return line;
        }

        var cut = new StringBuilder();
        var characters = StringInfo.GetTextElementEnumerator(line);
        while (characters.MoveNext() && cut.Length + characters.GetTextElement().Length < LongestTitle)
        {
            cut.Append(characters.GetTextElement());
        }

        return cut.Append('…').ToString();
    }
}

/// <summary>How a filing ended.</summary>
internal enum TicketDisposition { Filed, AlreadyOpen, Degraded, Unavailable }

/// <param name="Ticket">The ticket, when there is one to show.</param>
/// <param name="Message">One sentence for the operator.</param>
/// <param name="Decision">The same in the words of the decisions' page: <c>filed</c>, <c>adopted</c>, <c>degraded: timed_out</c>.</param>
/// <param name="Failure">What FreeScout failed with; null when it did not, or when its answer is being looked up.</param>
internal sealed record TicketOutcome(TicketDisposition Disposition, TicketLink? Ticket, string Message, string Decision, FreeScoutFailureKind? Failure = null);
