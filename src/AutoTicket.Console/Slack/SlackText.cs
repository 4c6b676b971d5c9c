using System.Globalization;
using System.Text;
using AutoTicket.Alerts;
using AutoTicket.Tickets;

namespace AutoTicket.Slack;

/// <summary>What the operator reads. Everything from outside is one line of plain text, escaped by Slack's rules
/// (https://docs.slack.dev/messaging/formatting-message-text#escaping), and is cut before what leads to the console is.</summary>
internal static class SlackText
{
    /// <summary>Slack cuts texts from 4,000 characters on, and not where we would.</summary>
    public const int Longest = 3_500;

    private const int LongestName = 200;
    private const int LongestLine = 80;
    private const int MostLines = 40;

    /// <param name="console">The address of the alerts' page.</param>
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

        tail.Append(CultureInfo.InvariantCulture, $"\nConsole: {Link(console)}\nAlert key: {Plain(alert.AlertKey, LongestName)}");
        return $"{head}\n{Plain(alert.Summary, Longest - head.Length - 1 - tail.Length)}{tail}";
    }

    /// <summary>Many in one message, the worst first.</summary>
    public static string Digest(IReadOnlyCollection<AlertNotice> notices, string console)
    {
        var counts = notices
            .Where(notice => notice.Kind != NoticeKind.Ended)
            .CountBy(notice => notice.Alert.Severity)
            .OrderBy(count => count.Key)
            .Select(count => $"{count.Key}: {count.Value}");
        var ended = notices.Count(notice => notice.Kind == NoticeKind.Ended);
        var text = new StringBuilder(
            $"{notices.Count} {(notices.Count == 1 ? "alert" : "alerts")} at once "
                + $"({string.Join(", ", [.. counts, .. ended > 0 ? [$"ended: {ended}"] : Array.Empty<string>()])})"
        );
        var link = $"\nConsole: {Link(console)}";
        var shown = 0;
        foreach (
            var notice in notices.OrderBy(notice => notice.Kind == NoticeKind.Ended).ThenBy(notice => notice.Alert.Severity).Take(MostLines)
        )
        {
            var ticket = notice.Ticket is { } its ? $" · {TicketNumber.Of(its.Number)}" : "";
            var line = Plain(
                $"{notice.Alert.Severity} {Word(notice)} · {Subject(notice.Alert)}{ticket} · {notice.Alert.Summary}",
                LongestLine
            );
            if (text.Length + 1 + line.Length + $"\nand {notices.Count} more".Length + link.Length > Longest)
            {
                break;
            }

            text.Append('\n').Append(line);
            shown++;
        }

        if (shown < notices.Count)
        {
            text.Append(CultureInfo.InvariantCulture, $"\nand {notices.Count - shown} more");
        }

        return text.Append(link).ToString();
    }

    /// <summary>Text from outside on one line, escaped, and cut between two of what people see as characters.</summary>
    /// <param name="longest">Of the result, in UTF-16 units.</param>
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
            { Kind: NoticeKind.SeverityChanged, Told: { } told } => $"WORSE (was {told.Severity})",
            { Kind: NoticeKind.Ended, Alert.Status: AlertStatus.Expired } => "EXPIRED: its source fell silent, that is not a recovery",
            _ => Word(notice),
        };

    private static string Word(AlertNotice notice) =>
        notice.Kind switch
        {
            NoticeKind.SeverityChanged => "WORSE",
            NoticeKind.FiringAgain => "FIRING AGAIN",
            NoticeKind.Ended => notice.Alert.Status == AlertStatus.Expired ? "EXPIRED" : "RECOVERED",
            // It ended before it could be told.
            _ => notice.Alert.IsFiring ? "FIRING" : "FIRED, AND IS OVER",
        };

    /// <summary>A surface's own outage is called by the surface.</summary>
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
            { Kind: NoticeKind.Ended } => $"It flapped: it fired again {notice.Alert.Reopened}× before it ended.",
            { Kind: NoticeKind.FiringAgain } => $"It flaps: it fired again {notice.Alert.Reopened}× so far. "
                + $"Further changes are held until it was quiet for {quietPeriod.TotalMinutes:0.#} min.",
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

    // No line of its own, no reading backwards; half a surrogate pair comes as U+FFFD.
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
