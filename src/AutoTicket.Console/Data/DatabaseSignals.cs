using System.Collections.Concurrent;
using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace AutoTicket.Data;

/// <summary>Signals that any process changed a table. A signal means <em>read again</em> and does not say what changed, so a lost or
/// duplicate signal does no harm. It is also raised after every reconnect and at least every five seconds.</summary>
internal abstract partial class DatabaseSignals(TimeProvider clock, ILogger<DatabaseSignals> logger) : Loop(clock, logger)
{
    /// <summary>Also the channels of PostgreSQL's NOTIFY, which <see cref="ChangeTriggers"/> raise.</summary>
    public const string Flags = "autoticket_flags";
    public const string Tickets = "autoticket_tickets";
    public const string Alerts = "autoticket_alerts";
    public const string Readings = "autoticket_readings";
    public const string Maintenance = "autoticket_maintenance";

    protected static readonly string[] Channels = [Flags, Tickets, Alerts, Readings, Maintenance];
    public static readonly TimeSpan AtLeastEvery = TimeSpan.FromSeconds(5);

    /// <summary>The longest pause of a loop that a signal wakes, for the case that the signals themselves hang. Longer than theirs, or the
    /// loop would run twice each time.</summary>
    public static readonly TimeSpan LongestPause = 2 * AtLeastEvery;

    private static readonly TimeSpan ReconnectAfter = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(200);

    private readonly ConcurrentDictionary<(string Channel, Guid Subscription), Action> _subscribers = new();
    private readonly OutageNotice _outage = new();

    /// <summary>Calls <paramref name="readAgain"/> on every signal until disposed. It must return at once and never throw.</summary>
    public IDisposable Subscribe(string channel, Action readAgain)
    {
        var key = (channel, Guid.NewGuid());
        _subscribers[key] = readAgain;
        return new Subscription(() => _subscribers.TryRemove(key, out _));
    }

    protected void Raise(string channel)
    {
        foreach (var (key, readAgain) in _subscribers)
        {
            if (key.Channel == channel)
            {
                readAgain();
            }
        }
    }

    protected void RaiseAll() => Array.ForEach(Channels, Raise);

    /// <summary>The connection works: its next loss is logged again.</summary>
    protected void Connected() => _outage.End();

    /// <summary>Calls <see cref="Connected"/>, then listens until the connection breaks or <paramref name="stoppingToken"/> ends
    /// it.</summary>
    protected abstract Task ListenAsync(CancellationToken stoppingToken);

    /// <summary>Polls, five times a second, a value that changes with every commit of another connection.</summary>
    /// <param name="raise">Raises the channels that changed.</param>
    protected async Task PollAsync(DbConnection connection, string sql, Func<Task> raise, CancellationToken stoppingToken)
    {
        await using var look = connection.CreateCommand();
        look.CommandText = sql;
        object? seen = null;
        var raisedAt = Clock.GetTimestamp();
        while (true)
        {
            var now = await look.ExecuteScalarAsync(stoppingToken);
            Connected();
            if (seen is null || Clock.GetElapsedTime(raisedAt) >= AtLeastEvery)
            {
                raisedAt = Clock.GetTimestamp();
                RaiseAll();
            }
            else if (!Equals(now, seen))
            {
                await raise();
            }

            seen = now;

            await Task.Delay(LookEvery, Clock, stoppingToken);
        }
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        try
        {
            await ListenAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested) { }
#pragma warning disable CA1031 // whatever broke the connection, the next turn opens a new one
        catch (Exception exception)
#pragma warning restore CA1031
        {
            if (_outage.Begin())
            {
                Log.Lost(logger, exception.Message);
            }

            RaiseAll();
        }

        return ReconnectAfter;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "database signals lost, connecting again: {Problem}")]
        public static partial void Lost(ILogger logger, string problem);
    }
}

/// <summary>Listens on an unpooled connection, because a pooled one would be given to other code.</summary>
internal sealed class PostgresSignals(string connectionString, TimeProvider clock, ILogger<DatabaseSignals> logger)
    : DatabaseSignals(clock, logger)
{
    private readonly string _connectionString = new NpgsqlConnectionStringBuilder(connectionString)
    {
        Pooling = false,
        KeepAlive = 2,
    }.ConnectionString;

    /// <summary>Whether a pooler such as PgBouncer stands in between: it greets with a process id of its own.</summary>
    public static async Task<bool> IsPooledAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var ask = new NpgsqlCommand("SELECT pg_backend_pid()", connection);
        return (int)(await ask.ExecuteScalarAsync(cancellationToken))! != connection.ProcessID;
    }

    protected override async Task ListenAsync(CancellationToken stoppingToken)
    {
        await using var connection = new NpgsqlConnection(_connectionString);
        await connection.OpenAsync(stoppingToken);
        if (await IsPooledAsync(connection, stoppingToken))
        {
            // A pooler delivers notifications to no client or to another one. The snapshot's text changes with every commit.
            await PollAsync(
                connection,
                "SELECT txid_current_snapshot()::text",
                () =>
                {
                    RaiseAll();
                    return Task.CompletedTask;
                },
                stoppingToken
            );
        }

        connection.Notification += (_, notification) => Raise(notification.Channel);
        await using (var listen = new NpgsqlCommand(string.Concat(Channels.Select(channel => $"LISTEN {channel};")), connection))
        {
            await listen.ExecuteNonQueryAsync(stoppingToken);
        }

        Connected();
        // Listen first, then read: a change in between is seen twice and never missed.
        while (true)
        {
            RaiseAll();
            var raisedAt = Clock.GetTimestamp();
            while (
                AtLeastEvery - Clock.GetElapsedTime(raisedAt) is var left
                && left > TimeSpan.Zero
                && await connection.WaitAsync(left, stoppingToken)
            ) { }
        }
    }
}

/// <summary>SQLite has no NOTIFY. Its data version changes with every commit of another connection, above all with each renewal of the
/// lease. What changed is counted by <see cref="ChangeTriggers"/>.</summary>
internal sealed class SqliteSignals(string connectionString, TimeProvider clock, ILogger<DatabaseSignals> logger)
    : DatabaseSignals(clock, logger)
{
    protected override async Task ListenAsync(CancellationToken stoppingToken)
    {
        await using var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString
        );
        await connection.OpenAsync(stoppingToken);
        await using var read = connection.CreateCommand();
        read.CommandText = "SELECT channel, version FROM changes";
        var seen = new Dictionary<string, long>();
        await ReadAsync(_ => { });
        await PollAsync(connection, "PRAGMA data_version", () => ReadAsync(Raise), stoppingToken);

        async Task ReadAsync(Action<string> changed)
        {
            await using var rows = await read.ExecuteReaderAsync(stoppingToken);
            while (await rows.ReadAsync(stoppingToken))
            {
                var (channel, version) = (rows.GetString(0), rows.GetInt64(1));
                if (seen.GetValueOrDefault(channel) != version)
                {
                    seen[channel] = version;
                    changed(channel);
                }
            }
        }
    }
}
