namespace AutoTicket.Diagnostics;

/// <summary>The chain in one sentence: whether DMs and tickets go out, and what stops them.</summary>
internal static class Verdict
{
    /// <param name="found">In the chain's order.</param>
    public static string Of(IReadOnlyList<(string Key, Finding Finding)> found)
    {
        var (tickets, messages) = (Cause(found, Stops.Tickets), Cause(found, Stops.Messages));
        return (messages, tickets) switch
        {
            (null, null) => (
                HasSeen(found, "last_dm") && HasSeen(found, "last_ticket")
                    ? "DMs and tickets are going out."
                    : "Nothing stops DMs or tickets."
            ) + Worth(found),
            (null, not null) => $"{(HasSeen(found, "last_dm") ? "DMs are going out" : "Nothing stops DMs")}, tickets are not: {tickets}.",
            (not null, null) =>
                $"{(HasSeen(found, "last_ticket") ? "Tickets are going out" : "Nothing stops tickets")}, DMs are not: {messages}.",
            _ when messages == tickets => $"Neither DMs nor tickets are going out: {tickets}.",
            _ => $"Neither DMs nor tickets are going out. DMs: {messages}. Tickets: {tickets}.",
        };
    }

    /// <summary>What failed comes before what somebody chose.</summary>
    private static string? Cause(IReadOnlyList<(string Key, Finding Finding)> found, Stops what)
    {
        var stopping = found.Where(one => one.Finding.Stops.HasFlag(what)).Select(one => one.Finding).ToList();
        var first = stopping.Find(finding => finding.State == DiagnosticState.Failed) ?? stopping.FirstOrDefault();
        return first is null ? null : (first.Cause ?? first.Seen).TrimEnd('.');
    }

    /// <summary>One went out, and nothing is wrong since.</summary>
    private static bool HasSeen(IReadOnlyList<(string Key, Finding Finding)> found, string key) =>
        found.Any(one => one.Key == key && one.Finding is { State: DiagnosticState.Ok, Since: not null });

    private static string Worth(IReadOnlyList<(string Key, Finding Finding)> found) =>
        found.FirstOrDefault(one => one.Finding.State == DiagnosticState.Failed).Finding is { } failed ? $" But: {failed.Seen}"
        : found.FirstOrDefault(one => one.Finding.State == DiagnosticState.NotKnown).Finding is { } unknown
            ? $" Not all is known: {unknown.Seen}"
        : found.FirstOrDefault(one => one.Finding.State == DiagnosticState.Warning).Finding is { } warning
            ? $" Worth a look: {warning.Seen}"
        : "";
}
