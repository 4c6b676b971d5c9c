using System.Globalization;
using System.Text;
using AutoTicket.Alerts;
using AutoTicket.Tickets;

namespace AutoTicket.Slack;

/// <summary>Writes the messages. Text from outside becomes one line, escaped by Slack's rules
/// (https://docs.slack.dev/messaging/formatting-message-text#escaping), and is cut before links are.</summary>
internal static class SlackText
{
    /// <summary>Slack cuts texts at 4,000 characters, which could drop the links at the end.</summary>
    public const int Longest = 3_500;

    private const int LongestName = 200;
    private const int LongestLine = 80;
    private const int MostLines = 40;

    /// <returns>A message on one alert.</returns>
    /// <param name="console">The address of the console; the message links to the incident's page.</param>
    public static string Single(AlertNotice notice, string console, TimeSpan quietPeriod)
    {
        var alert = notice.Alert;
        var head = $"{alert.Severity} {Sentence(notice)} · {Plain(Subject(alert), LongestName)}";
        var tail = new StringBuilder();
        if (Flapping(notice, quietPeriod) is { } flapping)
        {
            tail.Append('\n').Append(flapping);
        }

        tail.Append(CultureInfo.InvariantCulture, $"\nSince {UtcTime.Stamp(alert.StartedAt)}");
        if (alert.EndedAt is { } ended)
        {
            tail.Append(CultureInfo.InvariantCulture, $", ended {UtcTime.Stamp(ended)}");
        }

        if (notice.Ticket is { } ticket)
        {
            tail.Append(CultureInfo.InvariantCulture, $"\nTicket {TicketNumber.Of(ticket.Number)}: {Link(ticket.Url)}");
        }

        tail.Append(CultureInfo.InvariantCulture, $"\nConsole: {Link(console + alert.IncidentKey.Path)}");
        tail.Append(CultureInfo.InvariantCulture, $"\nAlert key: {Plain(alert.AlertKey, LongestName)}");
        return $"{head}\n{Plain(alert.Summary, Longest - head.Length - 1 - tail.Length)}{tail}";
    }

    /// <returns>A message on many alerts, the worst first. Each line links to its incident while there is room: a line without a link is
    /// worth more than a link.</returns>
    /// <param name="console">The address of the console; the message links to its alerts page.</param>
    public static string Digest(IReadOnlyCollection<AlertNotice> notices, string console)
    {
        var counts = notices
            .Where(notice => notice.Kind != NoticeKind.Ended)
            .CountBy(notice => notice.Alert.Severity)
            .OrderBy(count => count.Key)
            .Select(count => $"{count.Key}: {count.Value}");
        var ended = notices.Count(notice => notice.Kind == NoticeKind.Ended);
        var kinds = ended > 0 ? counts.Append($"ended: {ended}") : counts;
        var text = new StringBuilder($"{notices.Count} {(notices.Count == 1 ? "alert" : "alerts")} at once ({string.Join(", ", kinds)})");
        var end = $"\nConsole: {Link($"{console}/console/alerts")}";
        var room = Longest - text.Length - $"\nand {notices.Count} more".Length - end.Length;
        var lines = new List<(string Text, string Link)>();
        foreach (
            var notice in notices.OrderBy(notice => notice.Kind == NoticeKind.Ended).ThenBy(notice => notice.Alert.Severity).Take(MostLines)
        )
        {
            var ticket = notice.Ticket is { } its ? $" · {TicketNumber.Of(its.Number)}" : "";
            var line = Plain(
                $"{notice.Alert.Severity} {Word(notice)} · {Subject(notice.Alert)}{ticket} · {notice.Alert.Summary}",
                LongestLine
            );
            room -= 1 + line.Length;
            if (room < 0)
            {
                break;
            }

            lines.Add((line, $" {Link(console + notice.Alert.IncidentKey.Path)}"));
        }

        foreach (var (line, link) in lines)
        {
            text.Append('\n').Append(line);
            if (link.Length <= room)
            {
                text.Append(link);
                room -= link.Length;
            }
        }

        if (lines.Count < notices.Count)
        {
            text.Append(CultureInfo.InvariantCulture, $"\nand {notices.Count - lines.Count} more");
        }

        return text.Append(end).ToString();
    }

    /// <returns>Text from outside in one line, escaped, and cut between two grapheme clusters.</returns>
    /// <param name="longest">Length of the result in UTF-16 units.</param>
    public static string Plain(string text, int longest)
    {
        ReadOnlySpan<char> rest = Clean(text);
        var plain = new StringBuilder();
        while (rest.Length > 0)
        {
            var next = StringInfo.GetNextTextElementLength(rest);
            var escaped = Escape(rest[..next].ToString());
            rest = rest[next..];
            if (plain.Length + escaped.Length + (rest.Length > 0 ? 1 : 0) > longest)
            {
                return longest > plain.Length ? plain.Append('…').ToString() : plain.ToString();
            }

            plain.Append(escaped);
        }

        return plain.ToString();
    }

    private static string Sentence(AlertNotice notice) =>
        notice switch
        {
            { Kind: NoticeKind.SeverityChanged, LastDelivery: { } last } => $"WORSE (was {last.Severity})",
            { Kind: NoticeKind.Ended, Alert.Status: AlertStatus.Expired } => "EXPIRED: sender went silent (not a recovery)",
            _ => Word(notice),
        };

    private static string Word(AlertNotice notice) =>
        notice.Kind switch
        {
            NoticeKind.SeverityChanged => "WORSE",
            NoticeKind.FiringAgain => "FIRING AGAIN",
            NoticeKind.Ended => End(notice.Alert),
            _ when notice.Alert.IsFiring => "FIRING",
            // It ended before it was reported.
            _ => $"FIRED AND {End(notice.Alert)}",
        };

    private static string End(Alert alert) => alert.Status == AlertStatus.Expired ? "EXPIRED" : "RECOVERED";

    /// <summary>An outage of a surface has the surface's name.</summary>
    private static string Subject(Alert alert) =>
        alert.Surface switch
        {
            null => alert.Name,
            var surface when alert.Name == Observation.SurfaceOutage => surface,
            var surface => $"{alert.Name} on {surface}",
        };

    private static string? Flapping(AlertNotice notice, TimeSpan quietPeriod) =>
        notice switch
        {
            { Alert.Reopened: 0 } => null,
            { Kind: NoticeKind.Ended } => $"Flapped: re-fired {notice.Alert.Reopened}× before it ended.",
            { Kind: NoticeKind.FiringAgain } => $"Flapping: re-fired {notice.Alert.Reopened}×. "
                + $"Further changes are held until it has been quiet for {quietPeriod.TotalMinutes:0.#} min.",
            _ => null,
        };

    public static string Link(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            ? $"<{Escape(uri.AbsoluteUri).Replace("|", "%7C", StringComparison.Ordinal)}>"
            : Plain(url, LongestName);

    private static string Escape(string text) =>
        text.Replace("&", "&amp;", StringComparison.Ordinal)
            .Replace("<", "&lt;", StringComparison.Ordinal)
            .Replace(">", "&gt;", StringComparison.Ordinal);

    // No line breaks and no bidirectional controls; half a surrogate pair becomes U+FFFD.
    private static string Clean(string text)
    {
        var clean = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (
                Rune.GetUnicodeCategory(rune)
                is UnicodeCategory.Control
                    or UnicodeCategory.LineSeparator
                    or UnicodeCategory.ParagraphSeparator
            )
            {
                clean.Append(' ');
            }
            else if (rune.Value is not (0x061C or 0x200E or 0x200F or (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069)))
            {
                clean.Append(rune);
            }
        }

        return clean.ToString().Trim();
    }
}
