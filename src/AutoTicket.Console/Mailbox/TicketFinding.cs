namespace AutoTicket.Mailbox;

/// <summary>In what the console's books and FreeScout differ. Stored as the lower-case word.</summary>
public enum FindingKind
{
    /// <summary>The books say filed, and FreeScout has no such ticket.</summary>
    Ghost,

    /// <summary>FreeScout has an open ticket with a tag of ours that is not in the books.</summary>
    Orphan,

    /// <summary>It lies in FreeScout's folder of deleted ones.</summary>
    Deleted,

    /// <summary>Its threads went to another ticket.</summary>
    Merged,

    /// <summary>It is open in another mailbox.</summary>
    Moved,

    /// <summary>It is open and lost a tag by which it is found.</summary>
    TagsGone,

    /// <summary>It was closed, and is open again.</summary>
    Reopened,

    /// <summary>FreeScout's answer to its filing was lost, or the books lost which ticket it is: it is being looked for.</summary>
    Unconfirmed,

    /// <summary>Another open ticket is about the same: FreeScout committed a first post after the second.</summary>
    Duplicate,
}

/// <summary>One difference, as it was last seen.</summary>
/// <param name="ConversationId">Null while no ticket is known.</param>
/// <param name="Detail">One sentence for the operator: what was seen, or what was done about it. Text from outside: never markup.</param>
/// <param name="FirstSeenAt">When it was first seen.</param>
/// <param name="SeenAt">When it was last seen, or mended.</param>
/// <param name="IsRepaired">The console mended it itself.</param>
/// <param name="Dismissed">Somebody looked at it and lets it be, until something else is seen; null: nobody did.</param>
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
    /// <summary>The filing that can be given up, by its row: no ticket came of it. Null: there is one, or it is still looked for.</summary>
    public long? Filing { get; init; }

    /// <summary>Nobody needs to look at it.</summary>
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

/// <summary>What somebody says who dismisses a finding.</summary>
public sealed record DismissRequest(FindingKind Kind, string? Reason);

public enum DismissResult
{
    Done,

    /// <summary>There is no such finding, or it is over already.</summary>
    NotThere,
    ReasonMissing,

    /// <summary>The database can't be reached; nothing was changed.</summary>
    Unavailable,
}

/// <summary>What the last comparison of the books with FreeScout came to.</summary>
/// <param name="ReconciledAt">When FreeScout was last asked for everything; null: never.</param>
/// <param name="Problem">Why this may no longer hold, in one sentence for the operator; null when it does.</param>
public sealed record TicketFindings(IReadOnlyList<TicketFinding> Findings, DateTimeOffset? ReconciledAt, string? Problem)
{
    /// <summary>Everything was compared just now and nothing differs that nobody knows of. Never while FreeScout could not be asked.</summary>
    public bool IsClean => Problem is null && Findings.All(finding => finding.IsOver);
}

/// <summary>A row of <c>ticket_findings</c>.</summary>
internal sealed record FindingRow
{
    public required long ConversationId { get; init; }

    public required FindingKind Kind { get; init; }

    /// <summary>0: not known.</summary>
    public required long Number { get; init; }

    public long? KnownNumber => Number > 0 ? Number : null;

    public required string Subject { get; init; }

    public required string Detail { get; init; }

    public required DateTimeOffset FirstSeenAt { get; init; }

    public required DateTimeOffset SeenAt { get; init; }

    /// <summary>When the console mended it; null: it did not.</summary>
    public DateTimeOffset? RepairedAt { get; init; }

    /// <summary>It holds still. What was mended stays for a while, so that it is mended once and not against somebody's will.</summary>
    public required bool IsOpen { get; init; }
}
