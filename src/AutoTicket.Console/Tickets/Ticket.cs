using System.Globalization;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Tickets;

/// <summary>State of a filing. Stored as the lower-case word.</summary>
internal enum TicketState
{
    /// <summary>One process holds the claim until <see cref="Ticket.LeaseUntil"/>: it posts, or looks the marker up.</summary>
    Filing,

    /// <summary>The answer was lost: FreeScout may have the ticket. Its marker is looked up before it is posted again.</summary>
    Unconfirmed,

    /// <summary>FreeScout has it; it was open when last seen.</summary>
    Open,

    /// <summary>Resolved, spam, deleted or gone when last seen. An agent may reopen it.</summary>
    Closed,
}

/// <summary>
/// One filing: a row of <c>tickets</c>. Across processes one filing per <see cref="DedupKey"/> can be filing or unconfirmed: a partial
/// unique index refuses a second one.
/// </summary>
internal sealed record Ticket
{
    public long Id { get; init; }

    /// <inheritdoc cref="TicketMarker"/>
    public required string Marker { get; init; }

    /// <summary>The <c>alert_id</c> of the ticket's alert; see <see cref="AlertIdentity"/>.</summary>
    public required string DedupKey { get; init; }

    public string? SurfaceKey { get; init; }

    public required Severity Severity { get; init; }

    public required TicketState State { get; init; }

    /// <summary>Fencing token of the claim: each new owner adds one, and an older owner may no longer post.</summary>
    public int Attempt { get; init; }

    public DateTimeOffset LeaseUntil { get; init; }

    /// <summary>The operator who clicked, <c>alert:</c> and the source, <c>breaker</c> for a flood's summary, or an adopted ticket's
    /// creator.</summary>
    public required string FiledBy { get; init; }

    public required string Subject { get; init; }

    /// <summary>The action of the filing in the audit log.</summary>
    public required string AuditAction { get; init; }

    /// <summary><c>auto:status</c> or <c>auto:alert</c>.</summary>
    public required string Tag { get; init; }

    /// <summary>When it was last posted. The 60-minute window and the grace period begin here.</summary>
    public DateTimeOffset PostedAt { get; init; }

    /// <summary>When it was posted again with the same marker; null: posted once. FreeScout may still commit the first post.</summary>
    public DateTimeOffset? RepostedAt { get; init; }

    /// <summary>FreeScout's id; null until an answer or a look-up gave it.</summary>
    public long? ConversationId { get; init; }

    public long? Number { get; init; }

    /// <summary>When FreeScout's answer, or a look-up, confirmed it.</summary>
    public DateTimeOffset? ConfirmedAt { get; init; }

    public DateTimeOffset? ClosedAt { get; init; }

    /// <summary>When a closed ticket was seen open again; null: it was never reopened, or is closed again.</summary>
    public DateTimeOffset? ReopenedAt { get; init; }

    /// <summary>Who closed it: the operator who resolved it in the console, else the agent that FreeScout names.</summary>
    public string? ResolvedBy { get; init; }

    /// <summary>When the operator was told that nobody had taken it; null: never.</summary>
    public DateTimeOffset? UnclaimedToldAt { get; init; }

    /// <summary>The tags are not set yet: FreeScout accepts them only in a second call.</summary>
    public bool TagsPending { get; init; }

    /// <summary>Look-ups since <see cref="PostedAt"/> that found nothing. See <see cref="FilingRules.AfterEmptyLookup"/>.</summary>
    public int EmptyLookups { get; init; }

    public DateTimeOffset? LookedUpAt { get; init; }

    /// <summary>Why the last try failed, for the operator; null: no try failed.</summary>
    public string? Problem { get; init; }
}

internal sealed class TicketMapping : IEntityTypeConfiguration<Ticket>
{
    public void Configure(EntityTypeBuilder<Ticket> builder)
    {
        builder.ToTable("tickets");
        // The claim: one filing per key, across processes.
        builder
            .HasIndex(ticket => ticket.DedupKey)
            .HasDatabaseName("ix_tickets_claim")
            .IsUnique()
            .HasFilter($"state IN {FilingRules.HeldStates}");
        builder.HasIndex(ticket => new { ticket.DedupKey, ticket.PostedAt });
        builder.HasIndex(ticket => ticket.ConversationId).IsUnique().HasFilter("conversation_id IS NOT NULL");
        // Not filtered by state: PostgreSQL would scan a partial index for a query that asks for any state.
        builder.HasIndex(ticket => new { ticket.State, ticket.ConversationId });
        builder.HasIndex(ticket => ticket.PostedAt);
        builder.HasIndex(ticket => new { ticket.SurfaceKey, ticket.PostedAt });
        builder.HasIndex(ticket => ticket.TagsPending).HasFilter("tags_pending");
        builder.HasIndex(ticket => ticket.RepostedAt).HasFilter("reposted_at IS NOT NULL");
    }
}

internal static class TicketDbSets
{
    extension(AutoTicketDbContext db)
    {
        public DbSet<Ticket> Tickets => db.Set<Ticket>();
        public DbSet<FloodRow> FloodBreaker => db.Set<FloodRow>();
    }
}

/// <summary>A link to a FreeScout conversation.</summary>
/// <param name="Id">The conversation's id, which every API path takes.</param>
/// <param name="Number">The number that people see, which can differ from the id. Null: not known yet.</param>
/// <param name="OpenedAt">When it was filed.</param>
public sealed record TicketLink(long Id, long? Number, string Url, DateTimeOffset OpenedAt);

/// <summary>Writes a ticket's number for people. FreeScout may number tickets independently of their ids, so never show an id.</summary>
internal static class TicketNumber
{
    /// <param name="number">Null: not known yet.</param>
    public static string Of(long? number) => number is { } known ? string.Create(CultureInfo.InvariantCulture, $"#{known}") : "#?";
}

/// <summary>The tag of an automatic ticket that says which kind of alert it is for.</summary>
internal static class TicketTags
{
    /// <summary>An outage of a surface.</summary>
    public const string Status = "auto:status";

    /// <summary>Any other alert.</summary>
    public const string Alert = "auto:alert";

    public static readonly string[] All = [Status, Alert];

    public static string Of(Alert alert) => alert.IsSurfaceOutage ? Status : Alert;
}

/// <summary>The token at the end of a ticket's subject, by which a lost answer is looked up.</summary>
internal static partial class TicketMarker
{
    /// <summary>Without characters that look alike: people read markers aloud.</summary>
    private const string Alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

    public static string New() => $"at-{RandomNumberGenerator.GetString(Alphabet, 10)}";

    public static string Append(string subject, string marker) => $"{subject} [{marker}]";

    /// <summary>The last marker in a subject, which an agent may have edited; null: there is none.</summary>
    public static string? In(string? subject) =>
        subject is not null && Last().Match(subject) is { Success: true } match ? match.Groups[1].Value : null;

    [GeneratedRegex(@"\[(at-[0-9a-z]{10})\]", RegexOptions.RightToLeft)]
    private static partial Regex Last();
}
