using System.Net;
using AutoTicket.Tickets;

namespace AutoTicket.Mailbox;

/// <summary>The note on a resolved ticket: the operator's words and the evidence.</summary>
public static class ResolutionNote
{
    /// <summary>Placeholder in a note for several tickets: each ticket's own evidence replaces it.</summary>
    public const string Evidence = "{evidence}";

    public const int Longest = 2000;

    /// <summary>The initial text of the form.</summary>
    public static string For(IReadOnlyCollection<RecoveredTicket> tickets) =>
        tickets is { Count: 1 } ? EvidenceOf(tickets.First()) : Evidence;

    /// <summary>The evidence, in one to three sentences.</summary>
    public static string EvidenceOf(RecoveredTicket one)
    {
        var down = one.DownFor is { } length ? $" It was down for {UtcTime.Age(length)}." : "";
        var earlier = one.EarlierIncidents is > 0 and { } count
            ? $" {count} earlier {(count == 1 ? "incident" : "incidents")} in the 7 days before."
            : "";
        return $"{one.SurfaceName} has been operational since {UtcTime.Stamp(one.RecoveredAt)}.{down}{earlier}";
    }

    /// <summary>The note as it will read for a ticket.</summary>
    /// <param name="evidence">The ticket's; null: none is known.</param>
    public static string Text(string note, string? evidence) =>
        note.Trim().Replace(Evidence, evidence ?? "Its surface is not known to have recovered.", StringComparison.Ordinal);

    /// <summary>The note as HTML; text from outside is escaped.</summary>
    internal static string Html(string note, string? evidence, string actor)
    {
        var text = Text(note, evidence);
        return $"<p>{WebUtility.HtmlEncode(text).ReplaceLineEndings("<br>")}</p>{Signature(actor)}";
    }

    /// <summary>The last line of a note, which identifies it as written by the console for this operator.</summary>
    internal static string Signature(string actor) => $"<p>Resolved in AutoTicket Console by {WebUtility.HtmlEncode(actor)}.</p>";
}
