using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Audit;

/// <summary>One row of <c>audit_log</c>: who did what. It is written in the transaction of what it records, and never
/// changed. Only a denied action may be written later.</summary>
public sealed class AuditEntry
{
    public long Id { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>One of <see cref="AuditActions"/>.</summary>
    public required string Action { get; init; }

    /// <summary>An operator's name, <c>environment</c>, or a part of the console, such as <c>console:poller</c>.</summary>
    public required string Actor { get; init; }

    /// <summary>A JSON object with snake_case names.</summary>
    [StringSyntax(StringSyntaxAttribute.Json)]
    public required string Payload { get; init; }

    /// <summary>Reads a text, a number or a truth value of the payload; null when there is none.</summary>
    public string? Value(string name)
    {
        try
        {
            using var json = JsonDocument.Parse(Payload);
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty(name, out var value)
                ? value.ValueKind switch
                {
                    JsonValueKind.String => value.GetString(),
                    JsonValueKind.Number => value.GetRawText(),
                    JsonValueKind.True => "true",
                    JsonValueKind.False => "false",
                    _ => null,
                }
                : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Reads a time of the payload; null when there is none.</summary>
    public DateTimeOffset? Time(string name) =>
        DateTimeOffset.TryParse(Value(name), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at : null;
}

internal sealed class AuditEntryMapping : IEntityTypeConfiguration<AuditEntry>
{
    public void Configure(EntityTypeBuilder<AuditEntry> builder)
    {
        builder.ToTable("audit_log");
        builder.HasIndex(entry => new { entry.Action, entry.CreatedAt }).IsDescending(false, true);
        builder.HasIndex(entry => entry.CreatedAt);
        builder.HasIndex(entry => new { entry.Actor, entry.Id });
    }
}

internal static class AuditDbSets
{
    public static readonly Expiry Expiry = new(
        "DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE created_at < {0} ORDER BY created_at LIMIT {1})"
    );

    private const string Insert =
        "INSERT INTO audit_log (created_at, action, actor, payload) SELECT audit_at, audit_action, audit_actor, audit_payload FROM";

    private static readonly RowBatch<AuditEntry> Rows = new(
        ("audit_at", "timestamptz", entry => entry.CreatedAt),
        ("audit_action", "text", entry => entry.Action),
        ("audit_actor", "text", entry => entry.Actor),
        ("audit_payload", "jsonb", entry => entry.Payload)
    );

    extension(AutoTicketDbContext db)
    {
        public DbSet<AuditEntry> AuditLog => db.Set<AuditEntry>();

        /// <summary>Writes entries again whose first write failed. If only its answer was lost, the entry is there already and is not
        /// written twice.</summary>
        public Task AddMissingAuditAsync(IReadOnlyList<AuditEntry> entries, CancellationToken cancellationToken) =>
            db.ExecuteAsync(
                FormattableStringFactory.Create(
                    $$"""
                    {{Insert}} {0} WHERE NOT EXISTS (
                      SELECT 1 FROM audit_log a
                      WHERE a.action = r.audit_action AND a.created_at = r.audit_at AND a.actor = r.audit_actor
                        AND a.payload = r.audit_payload)
                    """,
                    Rows.Of(entries)
                ),
                cancellationToken
            );

        /// <summary>Runs <paramref name="update"/> and, if it changed a row, writes <paramref name="audit"/>: both or neither.</summary>
        /// <returns>Whether a row was changed.</returns>
        public Task<bool> UpdateWithAuditAsync(FormattableString update, AuditEntry audit, CancellationToken cancellationToken) =>
            db.UpdateThenAsync(update, FormattableStringFactory.Create($"{Insert} {{0}}, changed", Rows.Of([audit])), cancellationToken);

        /// <summary>Updates rows, each with its audit entry: both or neither.</summary>
        /// <param name="update">As <see cref="AutoTicketDbContext.UpdateRowsThenAsync"/> takes it.</param>
        /// <param name="rows">With the columns <c>audit_at</c>, <c>audit_action</c>, <c>audit_actor</c> and <c>audit_payload</c>.</param>
        /// <returns>The ids of the rows that were changed.</returns>
        public Task<HashSet<long>> UpdateWithAuditAsync(string update, RowsParameter rows, CancellationToken cancellationToken) =>
            db.UpdateRowsThenAsync(update, $"{Insert} changed", rows, cancellationToken);
    }
}
