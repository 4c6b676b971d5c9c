using System.Text.Json.Serialization;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Mailbox;

/// <summary>What an automatic ticket is about.</summary>
public enum TicketKind
{
    /// <summary>An outage of a surface: <c>auto:status</c>.</summary>
    Surface,

    /// <summary>Any other alert: <c>auto:alert</c>.</summary>
    Alert,
}

/// <summary>The FreeScout agent who has a ticket.</summary>
/// <param name="Email">Null when FreeScout does not say it.</param>
public sealed record TicketAssignee(long Id, string Name, [property: JsonIgnore] string? Email)
{
    /// <param name="email">The e-mail address of a signed-in user.</param>
    public bool Is(string? email) => email is not null && email.Equals(Email, StringComparison.OrdinalIgnoreCase);
}

/// <summary>An open automatic ticket of the operations mailbox, as last seen in FreeScout.</summary>
/// <param name="Status"><c>active</c> or <c>pending</c>.</param>
/// <param name="Surface">The key of its surface; null when it names none.</param>
/// <param name="FiledBy">The operator who filed it, else the agent that FreeScout names, else <c>FreeScout</c>.</param>
/// <param name="AlertId">The <c>alert_id</c> of its alert; null when it is not known.</param>
/// <param name="Severity">Null when it is not known.</param>
public sealed record OpenTicket(
    long Id,
    long? Number,
    string Url,
    string Subject,
    string Status,
    IReadOnlyList<string> Tags,
    string? Surface,
    DateTimeOffset OpenedAt,
    string FiledBy,
    string? AlertId = null,
    Severity? Severity = null
)
{
    /// <summary>Null: nobody has it, or it is not listed yet.</summary>
    public TicketAssignee? Assignee { get; init; }

    /// <summary>When a person last answered; null: nobody did, or it is not known. See <see cref="Conversation.AnsweredAt"/>.</summary>
    public DateTimeOffset? LastReplyAt { get; init; }

    /// <summary>FreeScout's list has it, so that <see cref="Assignee"/> is known.</summary>
    public bool IsListed { get; init; }

    public TicketKind Kind { get; } =
        Tags.Contains(TicketTags.Status, StringComparer.OrdinalIgnoreCase) ? TicketKind.Surface : TicketKind.Alert;

    /// <summary>The source of the alert that it was filed for; null when a person filed it.</summary>
    public string? FiledForSource =>
        FiledBy == FloodBreaker.Actor ? Observation.Console
        : FiledBy.StartsWith(FloodBudget.FiledByAlert, StringComparison.Ordinal) ? FiledBy[FloodBudget.FiledByAlert.Length..]
        : null;
}

/// <summary>The copy of FreeScout's open tickets that the console shows.</summary>
/// <param name="SyncedAt">When FreeScout last confirmed the copy; null when it never did.</param>
/// <param name="IsStale">The last sync failed, or none succeeded for two intervals.</param>
/// <param name="Problem">Why it is stale, in one sentence for the operator; null when it is not.</param>
public sealed record OpenTicketsCopy(IReadOnlyList<OpenTicket> Tickets, DateTimeOffset? SyncedAt, bool IsStale, string? Problem);

/// <summary>The console's copy of an open conversation of the operations mailbox: a row of <c>open_conversations</c>.</summary>
internal sealed class OpenConversation
{
    public required long Id { get; set; }

    /// <summary>Zero when it is not known.</summary>
    public required long Number { get; set; }

    public required string Subject { get; set; }

    public required string Status { get; set; }

    /// <summary>Tag names, one per line; a tag can't hold a line break.</summary>
    public required string Tags { get; set; }

    public string? SurfaceKey { get; set; }

    public DateTimeOffset CreatedAt { get; set; }

    public DateTimeOffset? UpdatedAt { get; set; }

    public string? CreatedBy { get; set; }

    /// <summary>The agent who has it; null: nobody.</summary>
    public long? AssigneeId { get; set; }

    public string? AssigneeName { get; set; }

    public string? AssigneeEmail { get; set; }

    public DateTimeOffset? LastReplyAt { get; set; }
}

internal sealed class OpenConversationMapping : IEntityTypeConfiguration<OpenConversation>
{
    public void Configure(EntityTypeBuilder<OpenConversation> builder)
    {
        builder.ToTable("open_conversations");
        builder.Property(conversation => conversation.Id).ValueGeneratedNever();
    }
}

internal static class MailboxDbSets
{
    extension(AutoTicketDbContext db)
    {
        public DbSet<OpenConversation> OpenConversations => db.Set<OpenConversation>();
        public DbSet<TicketSyncRow> TicketSync => db.Set<TicketSyncRow>();
        public DbSet<FindingRow> TicketFindings => db.Set<FindingRow>();
    }
}
