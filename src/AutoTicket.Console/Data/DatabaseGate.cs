using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Data;

/// <summary>
/// Opens the database at start and then watches it. If it can't be reached or takes no writes, that is an outage: the console starts, says
/// so and recovers by itself. If it refuses the console or its schema is behind, the start stops with a message that says what to change.
/// </summary>
internal sealed partial class DatabaseGate(
    IDbContextFactory<AutoTicketDbContext> contexts,
    DatabaseClock clock,
    IHostEnvironment environment,
    IHostApplicationLifetime lifetime,
    ILogger<DatabaseGate> logger
) : Loop(clock, logger)
{
    private readonly DatabaseClock _clock = clock;
    private static readonly TimeSpan CheckEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RetryEvery = TimeSpan.FromSeconds(1);

    /// <summary>Raised when <see cref="Problem"/> changed. Handlers return at once and never throw.</summary>
    public event Action? Changed;

    /// <summary>The schema has been checked. The database can be used, but may be away now.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>The database answers but takes no writes, like a standby after a failover, or a full disk.</summary>
    public bool IsReadOnly { get; private set; }

    /// <summary>Why the database can't be used now, for the operator; null: it can.</summary>
    public string? Problem
    {
        get;
        private set
        {
            var changed = field != value;
            field = value;
            if (changed)
            {
                Changed?.Invoke();
            }
        }
    } = "The database has not answered yet.";

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await CheckAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        try
        {
            await CheckAsync(stoppingToken);
        }
        catch (ConfigurationException mistake)
        {
            // The database was away at the start, so its refusal comes only now.
            Log.Unusable(logger, mistake.Message);
            Environment.ExitCode = 1;
            lifetime.StopApplication();
            return Timeout.InfiniteTimeSpan;
        }

        return Problem is null ? CheckEvery : RetryEvery;
    }

    private async Task CheckAsync(CancellationToken cancellationToken)
    {
        var answers = false;
        try
        {
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            if (!IsOpen)
            {
                await Migrations.EnsureAsync(db, environment, cancellationToken);
            }

            // Set the clock before the gate opens: leases, claims and the window depend on it.
            await _clock.SynchronizeAsync(db, cancellationToken);
            IsOpen = true;
            if (!await db.Database.CanConnectAsync(cancellationToken))
            {
                throw new TimeoutException();
            }

            answers = true;
            await WriteAsync(db, cancellationToken);
            if (Problem is not null)
            {
                IsReadOnly = false;
                Problem = null;
                Log.Answers(logger);
            }
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            var problem = answers
                ? "The console's database takes no writes: nothing can be filed or recorded until it does. The console keeps trying."
                : "The console's database can't be reached: nothing can be filed or recorded until it answers. The console keeps trying.";
            if (problem != Problem)
            {
                Log.Away(logger, answers ? "takes no writes" : "can't be reached", exception.GetBaseException().Message);
            }

            IsReadOnly = answers;
            Problem = problem;
        }
    }

    /// <summary>Changes nothing, but fails where no write succeeds.</summary>
    private static async Task WriteAsync(AutoTicketDbContext db, CancellationToken cancellationToken)
    {
        try
        {
            await using var transaction = await db.BeginAsync(cancellationToken);
            await db.LimitLockWaitAsync(cancellationToken);
            await db.ExecuteAsync($"UPDATE leases SET fence = fence WHERE name = {LeaderLease.Name}", cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }
        catch (Exception exception) when (Outages.IsBusy(exception))
        {
            // Another write is in its way, so the database takes writes.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "database answers")]
        public static partial void Answers(ILogger logger);

        [LoggerMessage(LogLevel.Warning, "database {State}, trying again: {Problem}")]
        public static partial void Away(ILogger logger, string state, string problem);

        [LoggerMessage(LogLevel.Critical, "{Message}")]
        public static partial void Unusable(ILogger logger, string message);
    }
}
