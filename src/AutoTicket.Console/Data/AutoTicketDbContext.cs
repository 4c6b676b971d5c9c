using System.Data.Common;
using System.Globalization;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Diagnostics;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Intake;
using AutoTicket.Mailbox;
using AutoTicket.Security;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.AspNetCore.DataProtection.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace AutoTicket.Data;

/// <summary>The console's database. It lives for one method (<see cref="IDbContextFactory{TContext}"/>); what differs between
/// the databases is in its two heirs and nowhere else.</summary>
internal abstract class AutoTicketDbContext(DbContextOptions options) : DbContext(options), IDataProtectionKeyContext
{
    private readonly DbContextOptions _options = options;
    private bool _isInTransaction;

    public DbSet<SurfaceReading> SurfaceReadings => Set<SurfaceReading>();
    public DbSet<SurfaceHour> SurfaceHours => Set<SurfaceHour>();
    public DbSet<Ticket> Tickets => Set<Ticket>();
    public DbSet<OpenConversation> OpenConversations => Set<OpenConversation>();
    public DbSet<TicketSyncRow> TicketSync => Set<TicketSyncRow>();
    public DbSet<FindingRow> TicketFindings => Set<FindingRow>();
    public DbSet<Alert> Alerts => Set<Alert>();
    public DbSet<OutboxEntry> AlertOutbox => Set<OutboxEntry>();
    public DbSet<AlertDelivery> AlertDeliveries => Set<AlertDelivery>();
    public DbSet<Decision> Decisions => Set<Decision>();
    public DbSet<ParkedAlert> ParkedAlerts => Set<ParkedAlert>();
    public DbSet<FloodRow> FloodBreaker => Set<FloodRow>();
    public DbSet<EscalationRow> Escalations => Set<EscalationRow>();
    public DbSet<LeaseRow> Leases => Set<LeaseRow>();
    public DbSet<AuditEntry> AuditLog => Set<AuditEntry>();
    public DbSet<FlagRow> FeatureFlags => Set<FlagRow>();
    public DbSet<FlagAckRow> FlagAcks => Set<FlagAckRow>();
    public DbSet<Session> Sessions => Set<Session>();
    public DbSet<SignInFailure> SignInFailures => Set<SignInFailure>();
    public DbSet<DataProtectionKey> DataProtectionKeys => Set<DataProtectionKey>();

    /// <summary>Runs <paramref name="update"/> and, when it changed a row, writes <paramref name="audit"/>: both or neither.</summary>
    /// <returns>Whether a row was changed.</returns>
    public abstract Task<bool> UpdateWithAuditAsync(FormattableString update, AuditEntry audit, CancellationToken cancellationToken);

    /// <summary>The column of rows by which an update finds what it changes.</summary>
    public const string RowId = "row_id";

    /// <summary>Updates rows, each with its audit entry: both or neither. The rows hold, besides what is set, <see cref="RowId"/> first, and
    /// <c>audit_at</c>, <c>audit_action</c>, <c>audit_actor</c> and <c>audit_payload</c>.</summary>
    /// <param name="update">An UPDATE … FROM {0} WHERE … that leaves out what is done already.</param>
    /// <returns>The ids of those that were changed.</returns>
    public abstract Task<HashSet<long>> UpdateWithAuditAsync(string update, RowsParameter rows, CancellationToken cancellationToken);

    /// <summary>Inserts rows, and with them what follows from those that were inserted, as their audit entries: all or nothing.</summary>
    /// <param name="insert">What follows INSERT INTO and the table: columns, and a SELECT … FROM {0} that leaves out what is there already.</param>
    /// <param name="returning">What of an inserted row the following statements read.</param>
    /// <param name="then">Statements that read what was inserted as the table <c>inserted</c>.</param>
    /// <returns>How many were inserted. Fewer than were given: some were there, and the caller must look again.</returns>
    public abstract Task<int> InsertAsync(
        string table,
        string insert,
        string returning,
        IReadOnlyList<string> then,
        RowsParameter rows,
        CancellationToken cancellationToken
    );

    /// <summary>The function of SQL that makes names and values a JSON object.</summary>
    public abstract string JsonObject { get; }

    /// <summary>What is written until the commit, by EF or as SQL, is written together.</summary>
    public Task<IDbContextTransaction> BeginAsync(CancellationToken cancellationToken)
    {
        _isInTransaction = true;
#pragma warning disable RS0030 // the one place
        return Database.BeginTransactionAsync(cancellationToken);
#pragma warning restore RS0030
    }

    /// <summary>Runs SQL that EF can't express, or not as cheaply; both databases read it. Times may be given as parameters.</summary>
    /// <returns>How many rows it changed.</returns>
    public abstract Task<int> ExecuteAsync(FormattableString sql, CancellationToken cancellationToken);

    /// <summary>Runs several statements, each by <see cref="ExecuteAsync"/>'s rules: all or none.</summary>
    /// <returns>How many rows each changed.</returns>
    public abstract Task<IReadOnlyList<int>> ExecuteTogetherAsync(
        IReadOnlyList<FormattableString> statements,
        CancellationToken cancellationToken
    );

    /// <inheritdoc cref="ExecuteAsync"/>
    /// <returns>A value for each row.</returns>
    public abstract Task<List<T>> QueryAsync<T>(FormattableString sql, Func<DbDataReader, T> read, CancellationToken cancellationToken);

    protected static async Task<List<T>> ReadAllAsync<T>(
        DbDataReader reader,
        Func<DbDataReader, T> read,
        CancellationToken cancellationToken
    )
    {
        var rows = new List<T>();
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(read(reader));
        }

        return rows;
    }

    /// <summary>A time that raw SQL read.</summary>
    public virtual DateTimeOffset TimeOf(DbDataReader row, int column) => row.GetFieldValue<DateTimeOffset>(column);

    /// <summary>A parameter of raw SQL as the column holds it: EF converts only what goes through the model.</summary>
    protected virtual object? ToColumn(object? value) => value is string text ? CleanText.Of(text) : value;

    /// <summary>What reads rows as the table <c>r</c>.</summary>
    /// <param name="add">Adds a parameter and returns its name.</param>
    protected abstract string RowsFrom(RowsParameter rows, Func<object, string> add);

    /// <summary>Whether a parameter finds its <c>$1</c> by name, or by its place.</summary>
    protected virtual bool HasNamedParameters => true;

    /// <summary>The SQL with its arguments made parameters.</summary>
    protected string TextOf(FormattableString sql, DbParameterCollection parameters, Func<DbParameter> create)
    {
        var names = new object[sql.ArgumentCount];
        for (var i = 0; i < names.Length; i++)
        {
            names[i] = sql.GetArgument(i) is RowsParameter rows ? RowsFrom(rows, Add) : Add(ToColumn(sql.GetArgument(i)) ?? DBNull.Value);
        }

        return string.Format(CultureInfo.InvariantCulture, sql.Format, names);

        string Add(object value)
        {
            var parameter = create();
            var name = "$" + (parameters.Count + 1).ToString(CultureInfo.InvariantCulture);
            parameter.ParameterName = HasNamedParameters ? name : "";
            parameter.Value = value;
            parameters.Add(parameter);
            return name;
        }
    }

    /// <summary>Outside a transaction a connection of the pool's: to wake EF up for its own costs as much again as the statements of a filing.</summary>
    protected async Task<OpenedConnection> OpenAsync(CancellationToken cancellationToken)
    {
        if (_isInTransaction && Database.CurrentTransaction?.GetDbTransaction() is { Connection: { } shared } transaction)
        {
            return new(shared, transaction);
        }

        var connection = Connect(RelationalOptionsExtension.Extract(_options).ConnectionString!);
        try
        {
            await connection.OpenAsync(cancellationToken);
            return new(connection, null);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    protected abstract DbConnection Connect(string connectionString);

    protected readonly record struct OpenedConnection(DbConnection Connection, DbTransaction? Transaction) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Transaction is null ? Connection.DisposeAsync() : ValueTask.CompletedTask;
    }

    /// <summary>The database's own clock, which all replicas share; null when it has none but this machine's.</summary>
    public abstract Task<DateTimeOffset?> ReadClockAsync(CancellationToken cancellationToken);

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        configurationBuilder.Properties<string>().HaveConversion<Clean>();
        configurationBuilder.Properties<TicketState>().HaveConversion<LowerCaseWord<TicketState>>().HaveMaxLength(16);
        configurationBuilder.Properties<SurfaceStatus>().HaveConversion<LowerCaseWord<SurfaceStatus>>().HaveMaxLength(16);
        configurationBuilder.Properties<ReadingOutcome>().HaveConversion<LowerCaseWord<ReadingOutcome>>().HaveMaxLength(16);
        configurationBuilder.Properties<AlertStatus>().HaveConversion<LowerCaseWord<AlertStatus>>().HaveMaxLength(16);
        configurationBuilder.Properties<DeliveryKind>().HaveConversion<LowerCaseWord<DeliveryKind>>().HaveMaxLength(16);
        configurationBuilder.Properties<EscalationCondition>().HaveConversion<LowerCaseWord<EscalationCondition>>().HaveMaxLength(32);
        configurationBuilder.Properties<FindingKind>().HaveConversion<LowerCaseWord<FindingKind>>().HaveMaxLength(16);
        configurationBuilder.Properties<FreeScoutFailureKind>().HaveConversion<LowerCaseWord<FreeScoutFailureKind>>().HaveMaxLength(16);
        configurationBuilder.Properties<FloodState>().HaveConversion<LowerCaseWord<FloodState>>().HaveMaxLength(16);
        configurationBuilder
            .Properties<IReadOnlyList<AlertMember>>()
            .HaveConversion<JsonText<IReadOnlyList<AlertMember>>, ByReference<IReadOnlyList<AlertMember>>>();
        configurationBuilder.Properties<DecisionWord>().HaveConversion<StoredDecision>();
        configurationBuilder.Properties<Severity>().HaveConversion<LowerCaseWord<Severity>>().HaveMaxLength(16);
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<SurfaceReading>(reading =>
        {
            reading.ToTable("surface_readings");
            reading.HasIndex(r => new { r.SurfaceKey, r.CheckedAt }).IsDescending(false, true);
            reading.HasIndex(r => r.CheckedAt);
        });
        modelBuilder.Entity<SurfaceHour>(hour =>
        {
            hour.ToTable("surface_hours");
            hour.HasKey(h => new { h.SurfaceKey, h.Hour });
        });
        modelBuilder.Entity<Ticket>(ticket =>
        {
            ticket.ToTable("tickets");
            // The claim: one filer a key, across processes.
            ticket
                .HasIndex(t => t.DedupKey)
                .HasDatabaseName("ix_tickets_claim")
                .IsUnique()
                .HasFilter("state IN ('filing', 'unconfirmed')");
            ticket.HasIndex(t => new { t.DedupKey, t.PostedAt });
            ticket.HasIndex(t => t.ConversationId).IsUnique().HasFilter("conversation_id IS NOT NULL");
            // Of all states: one of some would be read from end to end for what is in any of them.
            ticket.HasIndex(t => new { t.State, t.ConversationId });
            ticket.HasIndex(t => t.PostedAt);
            ticket.HasIndex(t => t.Tag).HasFilter("state = 'open' AND tag = 'auto:status'");
            ticket.HasIndex(t => t.TagsPending).HasFilter("tags_pending");
            ticket.HasIndex(t => t.RepostedAt).HasFilter("reposted_at IS NOT NULL");
        });
        modelBuilder.Entity<Alert>(alert =>
        {
            alert.ToTable("alerts");
            // One episode at a time, across processes.
            alert.HasIndex(a => new { a.LogicalId, a.Slot }).HasDatabaseName("ix_alerts_firing").IsUnique().HasFilter("status = 'firing'");
            alert.HasIndex(a => new { a.LogicalId, a.EndedAt });
            alert.HasIndex(a => a.ExpiresAt).HasFilter("status = 'firing'");
            alert.Ignore(a => a.NewsAt);
            alert.HasIndex(a => a.EndedAt).HasFilter("ended_at IS NOT NULL");
        });
        modelBuilder.Entity<OutboxEntry>(entry =>
        {
            entry.ToTable("alert_outbox");
            entry.HasIndex(e => new
            {
                e.Hook,
                e.Source,
                e.Severity,
                e.Id,
            });
        });
        modelBuilder.Entity<AlertDelivery>(delivery =>
        {
            delivery.ToTable("alert_deliveries");
            delivery.HasKey(d => new
            {
                d.AlertRow,
                d.Hook,
                d.Kind,
            });
        });
        modelBuilder.Entity<Decision>(decision =>
        {
            decision.ToTable("decisions");
            decision
                .HasIndex(d => new
                {
                    d.AlertId,
                    d.AlertRow,
                    d.Path,
                    d.Word,
                })
                .IsUnique();
            decision.HasIndex(d => new { d.AlertId, d.LastAt });
            decision.HasIndex(d => d.LastAt);
        });
        modelBuilder.Entity<ParkedAlert>(parked =>
        {
            parked.ToTable("parked_alerts");
            parked.HasIndex(p => p.ReceivedAt);
            parked.HasIndex(p => p.Fingerprint).IsUnique();
        });
        modelBuilder.Entity<FloodRow>(flood =>
        {
            flood.ToTable("flood_breaker");
            flood.HasKey(f => f.Scope);
        });
        modelBuilder.Entity<EscalationRow>(escalation =>
        {
            escalation.ToTable("escalations");
            escalation.HasKey(e => e.Condition);
        });
        modelBuilder.Entity<LeaseRow>(lease =>
        {
            lease.ToTable("leases");
            lease.HasKey(l => l.Name);
        });
        modelBuilder.Entity<OpenConversation>(conversation =>
        {
            conversation.ToTable("open_conversations");
            conversation.Property(c => c.Id).ValueGeneratedNever();
        });
        modelBuilder.Entity<TicketSyncRow>(sync =>
        {
            sync.ToTable("ticket_sync");
            sync.Property(s => s.Id).ValueGeneratedNever();
            // A sync that ends after a later one, in a process that was frozen, must not put the older list back.
            sync.Property(s => s.AskedAt).IsConcurrencyToken();
        });
        modelBuilder.Entity<FindingRow>(finding =>
        {
            finding.ToTable("ticket_findings");
            finding.HasKey(f => new { f.ConversationId, f.Kind });
        });
        modelBuilder.Entity<AuditEntry>(entry =>
        {
            entry.ToTable("audit_log");
            entry.HasIndex(e => new { e.Action, e.CreatedAt }).IsDescending(false, true);
            entry.HasIndex(e => e.CreatedAt);
        });
        modelBuilder.Entity<Session>(session =>
        {
            session.ToTable("sessions");
            session.HasIndex(s => s.ExpiresAt);
        });
        modelBuilder.Entity<SignInFailure>(failure =>
        {
            failure.ToTable("sign_in_failures");
            failure.HasIndex(f => f.FailedAt);
        });
        modelBuilder.Entity<FlagRow>(flag =>
        {
            flag.ToTable("feature_flags");
            flag.HasKey(f => f.Name);
        });
        modelBuilder.Entity<FlagAckRow>(ack =>
        {
            ack.ToTable("flag_acks");
            ack.HasKey(a => new { a.Instance, a.Name });
        });
    }

    /// <summary>The last line: text is cleaned where it enters, but one that was forgotten there must stop no batch and no sync.</summary>
    private sealed class Clean() : ValueConverter<string, string>(text => CleanText.Of(text), text => text);

    /// <summary>What is only ever read and written as a whole.</summary>
    private sealed class JsonText<T>()
        : ValueConverter<T, string>(
            value => JsonSerializer.Serialize(value, JsonSerializerOptions.Web),
            text => JsonSerializer.Deserialize<T>(text, JsonSerializerOptions.Web)!
        );

    /// <summary>Lists of ours are never changed, only replaced.</summary>
    private sealed class ByReference<T>() : ValueComparer<T>((one, other) => ReferenceEquals(one, other), list => 0)
        where T : class;

    private sealed class StoredDecision() : ValueConverter<DecisionWord, string>(word => word.Text, text => DecisionWord.Stored(text));

    /// <summary>Enumerations are stored as the words that people query by.</summary>
    private sealed class LowerCaseWord<TEnum>() : ValueConverter<TEnum, string>(value => Words.Of(value), word => Words.Parse<TEnum>(word))
        where TEnum : struct, Enum;
}
