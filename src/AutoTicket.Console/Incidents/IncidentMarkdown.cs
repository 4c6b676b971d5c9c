using System.Globalization;
using System.Text;

namespace AutoTicket.Incidents;

/// <summary>Writes an incident as Markdown, for an issue, a chat or a review. Text from outside is escaped, so that it is never
/// markup.</summary>
internal static class IncidentMarkdown
{
    /// <summary>All that CommonMark and GitHub read as markup inside a line: of links, also the colon and the at sign.</summary>
    private const string Markup = "\\`*_{}[]()#!|~:@$^-+=\"'";

    /// <param name="console">The console's address.</param>
    public static string Of(Incident incident, string console)
    {
        var summary = incident.Summary;
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"# {summary.Severity} {Plain(summary.Title)}\n\n");
        text.Append(CultureInfo.InvariantCulture, $"{Plain(summary.Summary)}\n\n");
        Fact("Incident", Link(summary.Key, console + summary.Path));
        Fact("Alert", $"{Plain(summary.Name)} from {Plain(summary.Source)}");
        if (summary.Surface is { } surface)
        {
            Fact("Surface", Plain(summary.SurfaceName is { } name ? $"{name} ({surface})" : surface));
        }

        Fact("Began", UtcTime.Stamp(incident.BeganAt));
        Fact("State", StateOf(summary));
        foreach (var ticket in incident.Tickets)
        {
            Fact("Ticket", TicketOf(ticket));
        }

        text.Append("\n## Figures\n\nMeasured from the beginning.\n\n| Step | After |\n| --- | --- |\n");
        foreach (var figure in incident.Figures)
        {
            text.Append(CultureInfo.InvariantCulture, $"| {figure.Name} | {figure.Text} |\n");
        }

        text.Append("\n## Timeline\n\n");
        foreach (var entry in incident.Timeline)
        {
            var by = entry.By is { } who ? $" by {Plain(who)}" : "";
            var count =
                entry.Count > 1
                    ? string.Create(CultureInfo.InvariantCulture, $" ({entry.Count}×, last {UtcTime.Stamp(entry.LastAt ?? entry.At)})")
                    : "";
            var detail = entry.Detail is { Length: > 0 } more ? $": {Plain(more)}" : "";
            text.Append(CultureInfo.InvariantCulture, $"- {UtcTime.Stamp(entry.At)} – **{Plain(entry.Text)}**{by}{count}{detail}\n");
        }

        if (incident.FreeScoutProblem is { } problem)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{Plain(problem)}\n");
        }

        return text.ToString();

        void Fact(string name, string value) => text.Append(CultureInfo.InvariantCulture, $"- {name}: {value}\n");
    }

    /// <summary>Text from outside on one line, in which nothing is markup.</summary>
    public static string Plain(string text)
    {
        var plain = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (char.IsControl(c) || c is '\u2028' or '\u2029')
            {
                plain.Append(' ');
            }
            else if (c is '<' or '>' or '&')
            {
                // As entities, because some readers take HTML even after a backslash.
                plain.Append(
                    c switch
                    {
                        '<' => "&lt;",
                        '>' => "&gt;",
                        _ => "&amp;",
                    }
                );
            }
            else
            {
                plain.Append(Markup.Contains(c, StringComparison.Ordinal) ? $"\\{c}" : $"{c}");
            }
        }

        return plain.ToString().Trim();
    }

    private static string StateOf(IncidentSummary summary) =>
        summary.EndedAt is { } endedAt
            ? $"{(summary.Status == Alerts.AlertStatus.Expired ? "expired" : "recovered")} {UtcTime.Stamp(endedAt)}"
            : "open";

    private static string TicketOf(IncidentTicket ticket)
    {
        var number = Tickets.TicketNumber.Of(ticket.Number);
        var state =
            ticket.IsOpen ? "open"
            : ticket.ResolvedBy is { } who ? $"resolved by {Plain(who)}"
            : "resolved";
        return $"{(ticket.Url is { } url ? Link(number, url) : Plain(number))}, {state}";
    }

    private static string Link(string text, string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            ? $"[{Plain(text)}](<{
                uri.AbsoluteUri
                    .Replace("<", "%3C", StringComparison.Ordinal)
                    .Replace(">", "%3E", StringComparison.Ordinal)
                    .Replace("\\", "%5C", StringComparison.Ordinal)
            }>)"
            : Plain(text);
}
