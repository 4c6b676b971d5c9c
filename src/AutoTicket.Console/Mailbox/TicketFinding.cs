using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Mailbox;

/// <summary>How a ticket of the console differs from FreeScout. Stored as the lower-case word.</summary>
public enum FindingKind
{
    /// <summary>The console filed it, and FreeScout has no such ticket.</summary>
    Ghost,

    /// <summary>FreeScout has an open ticket with a tag of the console that the console does not know.</summary>
    Orphan,

    /// <summary>It is in FreeScout's folder of deleted tickets.</summary>
    Deleted,

    /// <summary>It was merged into another ticket.</summary>
    Merged,

    /// <summary>It is open in another mailbox.</summary>
    Moved,

    /// <summary>It is open, and a tag by which it is found was removed.</summary>
    TagsGone,

    /// <summary>It was closed, and is open again.</summary>
    Reopened,

    /// <summary>FreeScout's answer to its filing, or its FreeScout id, was lost: it is being looked up.</summary>
    Unconfirmed,

    /// <summary>Another open ticket has the same key: FreeScout committed the first post after the repeated one.</summary>
    Duplicate,
}

/// <summary>One difference, as last seen.</summary>
/// <param name="ConversationId">Null while no ticket is known.</param>
/// <param name="Detail">One sentence for the operator: the difference or its repair. Text from outside: never markup.</param>
/// <param name="SeenAt">When it was last seen, or repaired.</param>
/// <param name="IsRepaired">The console repaired it.</param>
/// <param name="Dismissed">Who dismissed it and why; null when nobody did, or the detail has changed since.</param>
public sealed record TicketFinding(
    FindingKind Kind,
    long? ConversationId,
    long? Number,
    string? Url,
    string Subject,
    string Detail,
    DateTimeOffset FirstSeenAt,
    DateTimeOffset SeenAt,
    bool IsRepaired,
    FindingDismissal? Dismissed = null
)
{
    /// <summary>The row of a filing that can be given up; null when it made a ticket or is still looked up.</summary>
    public long? Filing { get; init; }

    /// <summary>Nobody needs to act.</summary>
    public bool IsOver => IsRepaired || Dismissed is not null;

    /// <summary><c>ghost</c>, <c>orphan</c>, <c>duplicate</c>, <c>drift</c> or <c>unconfirmed</c>.</summary>
    public string Class =>
        Kind switch
        {
            FindingKind.Ghost => "ghost",
            FindingKind.Orphan => "orphan",
            FindingKind.Unconfirmed => "unconfirmed",
            FindingKind.Duplicate => "duplicate",
            _ => "drift",
        };
}

public sealed record FindingDismissal(string By, string Reason);

/// <summary>An operator dismisses a finding.</summary>
public sealed record DismissRequest(FindingKind Kind, string? Reason);

public enum DismissResult
{
    Done,

    /// <summary>There is no such finding, or it is over.</summary>
    NotThere,
    ReasonMissing,

    /// <summary>The database can't be reached; whether it was changed is not known.</summary>
    Unavailable,
}

/// <summary>The findings of the last comparison with FreeScout.</summary>
/// <param name="ReconciledAt">When everything was last compared; null when it never was.</param>
/// <param name="Problem">Why the findings may be out of date, in one sentence for the operator; null when they are current.</param>
public sealed record TicketFindings(IReadOnlyList<TicketFinding> Findings, DateTimeOffset? ReconciledAt, string? Problem)
{
    /// <summary>The findings are current, and none needs an action.</summary>
    public bool IsClean => Problem is null && Findings.All(finding => finding.IsOver);
}

/// <summary>A row of <c>ticket_findings</c>.</summary>
internal sealed record FindingRow
{
    public required long ConversationId { get; init; }

    public required FindingKind Kind { get; init; }

    /// <summary>Zero when it is not known.</summary>
    public required long Number { get; init; }

    public long? KnownNumber => Number > 0 ? Number : null;

    public required string Subject { get; init; }

    public required string Detail { get; init; }

    public required DateTimeOffset FirstSeenAt { get; init; }

    public required DateTimeOffset SeenAt { get; init; }

    /// <summary>When the console repaired it; null when it did not.</summary>
    public DateTimeOffset? RepairedAt { get; init; }

    /// <summary>The difference still exists. A repaired row is kept for a while, so that the console repairs it only once.</summary>
    public required bool IsOpen { get; init; }
}

internal sealed class FindingMapping : IEntityTypeConfiguration<FindingRow>
{
    public void Configure(EntityTypeBuilder<FindingRow> builder)
    {
        builder.ToTable("ticket_findings");
        builder.HasKey(finding => new { finding.ConversationId, finding.Kind });
    }
}
