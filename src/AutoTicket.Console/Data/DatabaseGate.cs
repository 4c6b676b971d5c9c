using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Data;

/// <summary>
/// Opens the database at start and watches it from then on. A database that can't be reached is an outage: the console starts,
/// says so, and goes on by itself once it answers. One that refuses us, or whose schema is behind, is a mistake in the
/// configuration and stops the start with a message that says what to change.
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

    /// <summary>The schema was checked: the database can be used, though it may be away for now.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>Why the database can't be used just now, for the operator; null when it can.</summary>
    public string? Problem { get; private set; } = "The database has not answered yet.";

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
            // It was away at start and turns out to be unusable: what would have stopped the start stops us now.
            Log.Unusable(logger, mistake.Message);
            Environment.ExitCode = 1;
            lifetime.StopApplication();
            return Timeout.InfiniteTimeSpan;
        }

        return Problem is null ? CheckEvery : RetryEvery;
    }

    private async Task CheckAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            if (!IsOpen)
            {
                await Migrations.EnsureAsync(db, environment, cancellationToken);
            }

            // Before it opens: nobody may judge a lease, a claim or the window by a clock that is not set.
            await _clock.SynchronizeAsync(db, cancellationToken);
            IsOpen = true;
            if (!await db.Database.CanConnectAsync(cancellationToken))
            {
                throw new TimeoutException();
            }

            if (Problem is not null)
            {
                Problem = null;
                Log.Answers(logger);
            }
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            if (Problem is null || !IsOpen)
            {
                Log.Away(logger, exception.GetBaseException().Message);
            }

            Problem =
                "The console's database can't be reached: nothing can be filed or recorded until it answers. The console keeps trying.";
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "database answers")]
        public static partial void Answers(ILogger logger);

        [LoggerMessage(LogLevel.Warning, "database can't be reached, trying again: {Problem}")]
        public static partial void Away(ILogger logger, string problem);

        [LoggerMessage(LogLevel.Critical, "{Message}")]
        public static partial void Unusable(ILogger logger, string message);
    }
}
