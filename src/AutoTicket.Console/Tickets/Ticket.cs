using System.Globalization;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using AutoTicket.Alerts;
using AutoTicket.Surfaces;

namespace AutoTicket.Tickets;

/// <summary>Where a filing stands. Stored as the lower-case word.</summary>
internal enum TicketState
{
    /// <summary>Claimed by one process until <see cref="Ticket.LeaseUntil"/>: it is posting, or looking the marker up.</summary>
    Filing,

    /// <summary>The answer was lost: FreeScout may hold the ticket. Looked up by its marker before anything is posted again.</summary>
    Unconfirmed,

    /// <summary>FreeScout has it, and it was open when last seen.</summary>
    Open,

    /// <summary>Resolved, marked as spam, deleted or gone when last seen. A person may reopen it.</summary>
    Closed,
}

/// <summary>
/// One filing: a row of <c>tickets</c>. A partial unique index on <see cref="DedupKey"/> over the states filing and
/// unconfirmed lets exactly one filer in, across processes.
/// </summary>
internal sealed record Ticket
{
    public long Id { get; init; }

    /// <summary>A short token in the ticket's subject, by which a lost answer is looked up.</summary>
    public required string Marker { get; init; }

    /// <summary>The <c>alert_id</c> of what the ticket is about; see <see cref="Alerts.AlertIdentity"/>.</summary>
    public required string DedupKey { get; init; }

    public string? SurfaceKey { get; init; }

    public required Severity Severity { get; init; }

    public required TicketState State { get; init; }

    /// <summary>Counts the owners of the claim: who holds an older number lost it and may no longer post.</summary>
    public int Attempt { get; init; }

    public DateTimeOffset LeaseUntil { get; init; }

    /// <summary>Who filed it: an operator's name or a part of the console.</summary>
    public required string FiledBy { get; init; }

    public required string Subject { get; init; }

    /// <summary>What the audit log calls the filing.</summary>
    public required string AuditAction { get; init; }

    /// <summary><c>auto:status</c> or <c>auto:alert</c>.</summary>
    public required string Tag { get; init; }

    /// <summary>When it was last posted: the 60-minute window and the grace period count from here.</summary>
    public DateTimeOffset PostedAt { get; init; }

    /// <summary>When it was posted a second time, with the same marker; null: it was not. FreeScout may have committed the first post since.</summary>
    public DateTimeOffset? RepostedAt { get; init; }

    /// <summary>FreeScout's id; null until an answer or a look-up gave it.</summary>
    public long? ConversationId { get; init; }

    public long? Number { get; init; }

    /// <summary>When FreeScout's answer, or the look-up, confirmed it.</summary>
    public DateTimeOffset? ConfirmedAt { get; init; }

    public DateTimeOffset? ClosedAt { get; init; }

    /// <summary>When it was seen open again after it had been closed; null: it was not, or was closed once more.</summary>
    public DateTimeOffset? ReopenedAt { get; init; }

    /// <summary>Who closed it: the operator who did it here, else the agent that FreeScout names.</summary>
    public string? ResolvedBy { get; init; }

    /// <summary>The tags still have to be set: FreeScout takes them in a second call only.</summary>
    public bool TagsPending { get; init; }

    /// <summary>Look-ups since <see cref="PostedAt"/> that found nothing, at least <see cref="TicketingOptions.LookupSpacing"/> apart.</summary>
    public int EmptyLookups { get; init; }

    public DateTimeOffset? LookedUpAt { get; init; }

    /// <summary>Why the last try failed, for the operator; null when it did not.</summary>
    public string? Problem { get; init; }
}

/// <summary>A FreeScout conversation, as a link to it needs it.</summary>
/// <param name="Id">The conversation's id, which every API path takes.</param>
/// <param name="Number">What people call it: equals the id unless FreeScout numbers by itself; null: not known yet.</param>
/// <param name="OpenedAt">When it was filed.</param>
public sealed record TicketLink(long Id, long? Number, string Url, DateTimeOffset OpenedAt);

/// <summary>A ticket as people call it. FreeScout may count apart from its ids, so an id never stands for a number.</summary>
internal static class TicketNumber
{
    /// <param name="number">Null: not known yet.</param>
    public static string Of(long? number) => number is { } known ? string.Create(CultureInfo.InvariantCulture, $"#{known}") : "#?";
}

/// <summary>The tags that say what an automatic ticket is about.</summary>
internal static class TicketTags
{
    /// <summary>An outage of a surface. The dashboard lists these.</summary>
    public const string Status = "auto:status";

    /// <summary>Any other alert.</summary>
    public const string Alert = "auto:alert";

    public static string Of(Alert alert) => alert.IsSurfaceOutage ? Status : Alert;
}

/// <summary>The token at the end of a ticket's subject, by which a lost answer is looked up.</summary>
internal static partial class TicketMarker
{
    /// <summary>Without characters that look alike: people read markers aloud.</summary>
    private const string Alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

    public static string New() => $"at-{RandomNumberGenerator.GetString(Alphabet, 10)}";

    public static string Append(string subject, string marker) => $"{subject} [{marker}]";

    /// <summary>The marker at the end of a subject; null: there is none.</summary>
    public static string? In(string? subject) =>
        subject is not null && Last().Match(subject) is { Success: true } match ? match.Groups[1].Value : null;

    [GeneratedRegex(@"\[(at-[0-9a-z]{10})\]\s*$")]
    private static partial Regex Last();
}
