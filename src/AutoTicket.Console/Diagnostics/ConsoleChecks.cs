using System.Data.Common;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Slack;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Diagnostics;

/// <summary>The steps about the console itself: its database, its processes, its flags, its connections.</summary>
internal sealed class ConsoleChecks(
    DatabaseGate gate,
    FlagStore flags,
    FlagAgreement agreement,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<FreeScoutOptions> freeScout,
    IOptions<SlackOptions> slack,
    IOptions<DiagnosticsOptions> diagnostics,
    TimeProvider clock
)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1.2);

    private static Finding Away(string seen) =>
        Finding.Failed(
            seen,
            "See to the database: nothing is filed or recorded without it. What surfaces do is still told by DM.",
            Runbooks.Database,
            Stops.Tickets,
            cause: "the console's database can't be reached"
        );

    public async Task<Finding> DatabaseAsync(CancellationToken cancellationToken)
    {
        if (!gate.IsOpen)
        {
            return Away(gate.Problem ?? "The database has not answered yet.");
        }

        try
        {
            var pending = await Task.Run(() => PendingAsync(cancellationToken), cancellationToken)
                .WaitAsync(Patience, clock, cancellationToken);
            return pending == 0
                ? Finding.Ok($"The database answers, and its schema is current.{Encryption(ConnectionString())}")
                : Finding.Failed(
                    $"The schema is behind by {pending} migration(s).",
                    "Run the verb `migrate`.",
                    Runbooks.Database,
                    Stops.Both
                );
        }
        catch (TimeoutException)
        {
            return Away("The database does not answer.");
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return Away("The database can't be reached.");
        }
    }

    /// <summary>Which process leads, and which others there are.</summary>
    public async Task<Finding> LeaderAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var now = clock.GetUtcNow();
        var lease = await db
            .Leases.AsNoTracking()
            .SingleOrDefaultAsync(lease => lease.Name == LeaderLease.Name && lease.Until > now, cancellationToken);
        var replicas = flags.Current.Flags.SelectMany(flag => flag.Acks).Select(ack => ack.Instance).Distinct().Count();
        return lease is null
            ? Finding.Failed(
                "No process leads: surfaces are not watched, and nobody is told of alerts.",
                "Restart the console, and read the log for “this process leads”.",
                Runbooks.Poller,
                Stops.Both,
                cause: "no process leads"
            )
            : Finding.Ok($"{Process(lease.Owner)} leads; {replicas} {(replicas == 1 ? "process runs" : "processes run")}.");
    }

    public Task<Finding> FlagsAsync(CancellationToken cancellationToken)
    {
        var now = flags.Current;
        var alerts = now.Flags.Single(flag => flag.Name == FlagNames.AlertsAutoTicket);
        if (agreement.Late() is not { } all)
        {
            return Task.FromResult(
                new Finding(
                    DiagnosticState.NotKnown,
                    "The flags can't be read; their last known values are in force.",
                    now.ReadAt,
                    "See to the database.",
                    Runbooks.Flags
                )
            );
        }

        if (all is [var late, ..])
        {
            var isOverdue = clock.GetUtcNow() - late.Since >= EscalationConditions.FlagLimit;
            return Task.FromResult(
                new Finding(
                    isOverdue ? DiagnosticState.Failed : DiagnosticState.Warning,
                    late.Evidence,
                    late.Since,
                    "Restart the process that does not follow, or end it.",
                    Runbooks.Flags
                )
            );
        }

        var by = alerts.ChangedBy is { } actor ? $" by {actor}" : "";
        return Task.FromResult(
            alerts.Enabled
                ? Finding.Ok($"All processes have the same flags in force; {alerts.Name} is on.", alerts.ChangedAt)
                : Finding.Warning(
                    $"{alerts.Name} is off{by}: alerts get no tickets.",
                    "Switch it on at /console/flags, if that was not meant.",
                    Runbooks.FlagOff,
                    alerts.ChangedAt,
                    Stops.Tickets,
                    alerts.ChangedAt is { } at ? $"{alerts.Name} was switched off at {When.Clock(at)}{by}" : $"{alerts.Name} is off"
                )
        );
    }

    /// <summary>What the connection to PostgreSQL leaves open, as a sentence to add; empty: nothing.</summary>
    public static string Encryption(string connectionString) =>
        new DbConnectionStringBuilder { ConnectionString = connectionString }.TryGetValue("SSL Mode", out var mode) && mode is "Require"
            ? " The connection is encrypted, but the server's certificate is not checked: sslmode=verify-full in DATABASE_URL checks it."
            : "";

    private bool IsDatabaseOpen()
    {
        using var db = contexts.CreateDbContext();
        return db is PostgresDbContext && DatabaseUrl.IsOpen(db.Database.GetConnectionString()!);
    }

    private string ConnectionString()
    {
        using var db = contexts.CreateDbContext();
        return db.Database.GetConnectionString()!;
    }

    public Task<Finding> EncryptionAsync(CancellationToken cancellationToken)
    {
        List<string> open =
        [
            .. new[]
            {
                ("FREESCOUT_BASE_URL", freeScout.Value.BaseUrl),
                ("SLACK_BASE_URL", slack.Value.BaseUrl),
                ("FALLBACK_WEBHOOK_URL", diagnostics.Value.FallbackWebhookUrl),
            }
                .Where(setting => IsOpen(setting.Item2))
                .Select(setting => setting.Item1),
            .. IsDatabaseOpen() ? ["DATABASE_URL"] : Array.Empty<string>(),
        ];
        return Task.FromResult(
            open.Count == 0
                ? Finding.Ok("FreeScout, Slack, the fallback webhook and the database are reached over TLS, or on this machine.")
                : Finding.Warning(
                    $"Not encrypted, beyond this machine: {string.Join(", ", open)}. Keys and tickets can be read on the way.",
                    "Set the address to one that begins with https, and in DATABASE_URL sslmode=require.",
                    Runbooks.Encryption
                )
        );
    }

    private static bool IsOpen(string? address) =>
        Uri.TryCreate(address?.Trim(), UriKind.Absolute, out var url) && url.Scheme == Uri.UriSchemeHttp && !url.IsLoopback;

    private async Task<int> PendingAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return (await db.Database.GetPendingMigrationsAsync(cancellationToken)).Count();
    }

    /// <summary>Without what tells a process from an earlier one of the same number.</summary>
    private static string Process(string owner) => string.Join('/', owner.Split('/').Take(2));
}
