using System.Data.Common;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Slack;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Diagnostics;

/// <summary>Checks of the console itself: its database, processes, flags and connections.</summary>
internal sealed class ConsoleChecks(
    DatabaseGate gate,
    FlagWatch flags,
    FlagAgreement agreement,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<FreeScoutOptions> freeScout,
    IOptions<SlackOptions> slack,
    IOptions<DiagnosticsOptions> diagnostics,
    TimeProvider clock
)
{
    private static readonly TimeSpan QueryTimeout = TimeSpan.FromSeconds(1.2);

    private static Finding DatabaseDown(string seen) =>
        Finding.Failed(
            seen,
            "Get the database back: without it nothing is filed or recorded, and only alerts on surfaces are sent by DM.",
            Runbooks.Database,
            Stops.Tickets,
            cause: "the console's database can't be reached"
        );

    public async Task<Finding> DatabaseAsync(CancellationToken cancellationToken)
    {
        if (gate.Problem is { } problem && (gate.IsReadOnly || !gate.IsOpen))
        {
            return DatabaseDown(problem);
        }

        try
        {
            var pending = await Task.Run(() => PendingAsync(cancellationToken), cancellationToken)
                .WaitAsync(QueryTimeout, clock, cancellationToken);
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
            return DatabaseDown("The database does not answer.");
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return DatabaseDown("The database can't be reached.");
        }
    }

    /// <summary>Names the leader and counts the processes.</summary>
    public async Task<Finding> LeaderAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var lease = await db.Leases.AsNoTracking().SingleOrDefaultAsync(LeaderLease.HeldAt(clock.GetUtcNow()), cancellationToken);
        var replicas = flags.Current.Flags.SelectMany(flag => flag.Acks).Select(ack => ack.Instance).Distinct().Count();
        return lease is null
            ? Finding.Failed(
                "No process leads: surfaces are not probed, and no alerts are sent.",
                "Restart the console, and look for “this process leads” in the log.",
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
                    "Get the database back.",
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
                    "Restart or end the process with the old value.",
                    Runbooks.Flags
                )
            );
        }

        var off = alerts.SwitchedOff;
        var by =
            off is { By: var actor } ? $" by {actor}"
            : alerts.IsPinned ? " by the environment"
            : "";
        return Task.FromResult(
            alerts.Enabled
                ? Finding.Ok($"All processes use the same flags; {alerts.Name} is on.", alerts.ChangedAt)
                : Finding.Warning(
                    $"{alerts.Name} is off{by}: alerts get no tickets.",
                    alerts.IsPinned
                        ? $"If this was not intended, change {alerts.Name} in the environment and restart the console."
                        : "If this was not intended, switch it on at /console/flags.",
                    Runbooks.FlagOff,
                    off?.Since,
                    Stops.Tickets,
                    off is { Since: var at } ? $"{alerts.Name} was switched off at {When.Clock(at)}{by}" : $"{alerts.Name} is off{by}"
                )
        );
    }

    /// <returns>A sentence to add if the connection to PostgreSQL does not check the server's certificate; otherwise empty.</returns>
    public static string Encryption(string connectionString) =>
        new DbConnectionStringBuilder { ConnectionString = connectionString }.TryGetValue("SSL Mode", out var mode) && mode is "Require"
            ? " The connection is encrypted, but does not check the server's certificate: set sslmode=verify-full in DATABASE_URL."
            : "";

    private bool IsDatabaseUnencrypted()
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
        List<string> unencrypted =
        [
            .. new[]
            {
                ("FREESCOUT_BASE_URL", freeScout.Value.BaseUrl),
                ("SLACK_BASE_URL", slack.Value.BaseUrl),
                ("FALLBACK_WEBHOOK_URL", diagnostics.Value.FallbackWebhookUrl),
            }
                .Where(setting => IsUnencrypted(setting.Item2))
                .Select(setting => setting.Item1),
            .. IsDatabaseUnencrypted() ? ["DATABASE_URL"] : Array.Empty<string>(),
        ];
        return Task.FromResult(
            unencrypted.Count == 0
                ? Finding.Ok("FreeScout, Slack, the fallback webhook and the database use TLS, or run on this machine.")
                : Finding.Warning(
                    $"Not encrypted, beyond this machine: {string.Join(", ", unencrypted)}. Keys and tickets can be read on the way.",
                    "Use an https address, and sslmode=require in DATABASE_URL.",
                    Runbooks.Encryption
                )
        );
    }

    private static bool IsUnencrypted(string? address) =>
        Uri.TryCreate(address?.Trim(), UriKind.Absolute, out var url) && url.Scheme == Uri.UriSchemeHttp && !url.IsLoopback;

    private async Task<int> PendingAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return (await db.Database.GetPendingMigrationsAsync(cancellationToken)).Count();
    }

    /// <returns>The host name and process id of a lease's owner.</returns>
    private static string Process(string owner) => string.Join('/', owner.Split('/').Take(2));
}
