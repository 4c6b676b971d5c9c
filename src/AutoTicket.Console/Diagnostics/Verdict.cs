namespace AutoTicket.Diagnostics;

/// <summary>Sums up all checks: whether DMs and tickets are sent, and what stops them.</summary>
internal static class Verdict
{
    /// <param name="found">The findings in the order of the checks.</param>
    public static string Of(IReadOnlyList<(string Key, Finding Finding)> found)
    {
        var (tickets, messages) = (Cause(found, Stops.Tickets), Cause(found, Stops.Messages));
        var (sendsMessages, filesTickets) = (HasSeen(found, "last_dm"), HasSeen(found, "last_ticket"));
        return (messages, tickets) switch
        {
            (null, null) when sendsMessages && filesTickets => $"All working: tickets and DMs are being sent.{Rest(found)}",
            (null, null) => $"DMs and tickets are ready.{Rest(found)}",
            (null, not null) when IsUnknown(found, "last_dm") => $"It is not known whether DMs are being sent; tickets are not: {tickets}.",
            (null, not null) => $"DMs are {(sendsMessages ? "being sent" : "ready")}, tickets are not: {tickets}.",
            (not null, null) when IsUnknown(found, "last_ticket") =>
                $"It is not known whether tickets are being sent; DMs are not: {messages}.",
            (not null, null) => $"Tickets are {(filesTickets ? "being sent" : "ready")}, DMs are not: {messages}.",
            _ when messages == tickets => $"Neither DMs nor tickets are being sent: {tickets}.",
            _ => $"Neither DMs nor tickets are being sent. DMs: {messages}. Tickets: {tickets}.",
        };
    }

    /// <summary>Failures come before warnings, such as a flag that was switched off.</summary>
    private static string? Cause(IReadOnlyList<(string Key, Finding Finding)> found, Stops what)
    {
        var stopping = found.Where(one => one.Finding.Stops.HasFlag(what)).Select(one => one.Finding).ToList();
        var first = stopping.Find(finding => finding.State == DiagnosticState.Failed) ?? stopping.FirstOrDefault();
        return first is null ? null : (first.Cause ?? first.Seen).TrimEnd('.');
    }

    /// <returns>Whether one was sent, and nothing failed since.</returns>
    private static bool HasSeen(IReadOnlyList<(string Key, Finding Finding)> found, string key) =>
        found.Any(one => one.Key == key && one.Finding is { State: DiagnosticState.Ok, Since: not null });

    private static bool IsUnknown(IReadOnlyList<(string Key, Finding Finding)> found, string key) =>
        found.Any(one => one.Key == key && one.Finding.State is DiagnosticState.NotKnown or DiagnosticState.NotReached);

    private static string Rest(IReadOnlyList<(string Key, Finding Finding)> found) =>
        found.FirstOrDefault(one => one.Finding.State == DiagnosticState.Failed).Finding is { } failed ? $" But: {failed.Seen}"
        : found.FirstOrDefault(one => one.Finding.State == DiagnosticState.NotKnown).Finding is { } unknown ? $" Not known: {unknown.Seen}"
        : found.FirstOrDefault(one => one.Finding.State == DiagnosticState.Warning).Finding is { } warning
            ? $" Worth a look: {warning.Seen}"
        : "";
}
