using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Surfaces;

namespace AutoTicket.Tickets;

/// <summary>Text and tags of a ticket, before it has a marker.</summary>
/// <param name="DedupKey">The <c>alert_id</c> of its alert.</param>
/// <param name="Tag"><c>auto:status</c> for a surface, <c>auto:alert</c> for other alerts.</param>
/// <param name="AuditAction">The action of the filing in the audit log.</param>
/// <param name="Title">One line for the subject, severity first.</param>
/// <param name="Facts">Rows of the table. Label and text are escaped.</param>
/// <param name="IsForAlert">Filed for an alert, not by a click: see <see cref="FilingRules.Blocks"/>.</param>
internal sealed record TicketDraft(
    string DedupKey,
    string? SurfaceKey,
    Severity Severity,
    string Tag,
    string AuditAction,
    string FiledBy,
    string Title,
    IReadOnlyList<(string Label, string Text)> Facts,
    bool IsForAlert = false
)
{
    /// <summary>The label of the link to the incident.</summary>
    public const string IncidentLabel = "Incident in AutoTicket Console";

    private const int ReadingsShown = 10;
    private const int LabelsShown = 30;

    /// <summary>FreeScout silently cuts a subject at 998 characters; the marker at its end must survive.</summary>
    private const int LongestTitle = 180;

    /// <summary>Prefix of the severity's tag. A ticket has one severity tag.</summary>
    public const string SeverityTag = "sev:";

    /// <summary>Prefix of the surface's tag.</summary>
    public const string SurfaceTag = "surface:";

    /// <summary>The first line of the body and of FreeScout's preview: event, start and cause; null: the title.</summary>
    public string? FirstLine { get; init; }

    /// <summary>Links below the first line.</summary>
    public IReadOnlyList<(string Label, string Url)> Links { get; init; } = [];

    /// <summary>Restores a draft from the row of its filing, which does not hold the text.</summary>
    public static TicketDraft Of(Ticket filing) =>
        new(
            filing.DedupKey,
            filing.SurfaceKey,
            filing.Severity,
            filing.Tag,
            filing.AuditAction,
            filing.FiledBy,
            filing.Subject,
            [
                ("Filed by", filing.FiledBy),
                ("Note", "FreeScout lost this ticket's text when it was filed. The alert's page in the console has the details."),
            ]
        );

    public string AlertKey => AlertIdentity.KeyOf(DedupKey);

    /// <summary>The title as it is stored and sent: one line, cut, without characters that PostgreSQL refuses.</summary>
    public string Subject => OneLine(Title);

    /// <summary>The ticket as it is posted. FreeScout's list shows the first 255 characters without HTML tags: hence a sentence first and
    /// spaces between elements.</summary>
    /// <param name="older">An earlier ticket of the same key, to link.</param>
    public ConversationDraft Write(string marker, TicketLink? older)
    {
        var html = new StringBuilder($"<p><b>{Lines(FirstLine ?? Title)}</b></p> ");
        var links = Links.Select(link => Link(link.Label, link.Url)).ToList();
        if (older is not null)
        {
            links.Add($"Earlier ticket {Link(TicketNumber.Of(older.Number), older.Url)}");
        }

        if (links.Count > 0)
        {
            html.Append(CultureInfo.InvariantCulture, $"<p>{string.Join(" · ", links)}</p> ");
        }

        if (Facts.Count > 0)
        {
            html.Append("<table>");
            foreach (var (label, text) in Facts)
            {
                // FreeScout's purifier keeps valign and padding.
                var name = WebUtility.HtmlEncode(label);
                html.Append(CultureInfo.InvariantCulture, $"<tr><td valign=\"top\" style=\"padding: 3px 16px 3px 0\"><b>{name}</b></td> ");
                html.Append(CultureInfo.InvariantCulture, $"<td valign=\"top\" style=\"padding: 3px 0\">{Lines(text)}</td></tr> ");
            }

            html.Append("</table> ");
        }

        html.Append("<p>AutoTicket Console filed this ticket and never closes it by itself. When the problem is over, close it here ");
        html.Append(
            "or resolve it on the console’s Tickets page. Write notes, not replies: a reply is mailed to a technical address.</p> "
        );
        // Below the table, because the long key would widen it.
        var key = WebUtility.HtmlEncode(DedupKey);
        html.Append(CultureInfo.InvariantCulture, $"<p>Marker <code>{marker}</code> · Dedup key <code>{key}</code></p>");
        return new ConversationDraft(TicketMarker.Append(Subject, marker), html.ToString(), SurfaceKey);
    }

    /// <summary>Replaces the severity at the start of a subject.</summary>
    public static string WithSeverity(string subject, Severity severity) =>
        subject is ['[', 'P', >= '1' and <= '4', ']', ..] ? $"[{severity}]{subject[4..]}" : subject;

    /// <summary>The rows about a surface, for a click and for an alert.</summary>
    public static IEnumerable<(string Label, string Text)> FactsOf(SurfaceSnapshot snapshot)
    {
        var readings = snapshot
            .History.Reverse()
            .Take(ReadingsShown)
            .Select(reading =>
                string.Join(
                    "  ",
                    (string?[])
                        [
                            UtcTime.Stamp(reading.CheckedAt),
                            Words.Of(reading.Outcome),
                            .. reading.LatencyMs is { } ms ? [$"{ms} ms"] : Array.Empty<string>(),
                            .. reading.Cause is { } cause ? [cause] : Array.Empty<string>(),
                        ]
                )
            )
            .ToList();
        yield return ("Surface", $"{snapshot.Surface.Name} ({snapshot.Key})");
        // Without its query, which may hold a secret.
        yield return ("Address", snapshot.Surface.Url.GetLeftPart(UriPartial.Path));
        yield return ("Last checks", readings.Count == 0 ? "none yet" : string.Join('\n', readings));
    }

    /// <summary>The row with an alert's labels, one per line.</summary>
    /// <param name="json">A JSON object of strings.</param>
    public static IEnumerable<(string Label, string Text)> FactsOfLabels(string json)
    {
        using var parsed = JsonDocument.Parse(json);
        var labels = parsed.RootElement.EnumerateObject().Select(label => $"{label.Name}={label.Value}").ToList();
        if (labels.Count > LabelsShown)
        {
            labels = [.. labels.Take(LabelsShown), $"and {labels.Count - LabelsShown} more in the console"];
        }

        return labels.Count == 0 ? [] : [("Labels", string.Join('\n', labels))];
    }

    public static IReadOnlyList<string> TagsOf(string tag, Severity severity, string? surfaceKey) =>
        [
            tag,
            $"{SeverityTag}{severity.ToString().ToLowerInvariant()}",
            .. surfaceKey is null ? Array.Empty<string>() : [$"{SurfaceTag}{surfaceKey}"],
        ];

    private static string Link(string label, string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            ? $"<a href=\"{WebUtility.HtmlEncode(url)}\">{WebUtility.HtmlEncode(label)}</a>"
            : $"{WebUtility.HtmlEncode(label)} {Lines(url)}";

    /// <summary>Escapes text for HTML, because FreeScout shows a thread as HTML. Each line break becomes a <c>br</c>.</summary>
    private static string Lines(string text) =>
        string.Join("<br>", text.ReplaceLineEndings("\n").Split('\n').Select(line => WebUtility.HtmlEncode(Printable(line))));

    private static string Printable(string text) => HiddenCharacter.Blank(CleanText.Of(text));

    /// <summary>One line of at most <see cref="LongestTitle"/> characters, cut between grapheme clusters to keep emoji whole.</summary>
    private static string OneLine(string text)
    {
        var line = Printable(text).Trim();
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
