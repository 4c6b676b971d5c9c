using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.Extensions.Options;

namespace AutoTicket.Data;

/// <summary>Which process leads: a row of <c>leases</c>.</summary>
internal sealed class LeaseRow
{
    public required string Name { get; init; }

    public required string Owner { get; set; }

    public DateTimeOffset Until { get; set; }

    /// <summary>The fencing token: it grows by one with each new owner.</summary>
    public long Fence { get; set; }
}

internal sealed class LeaseMapping : IEntityTypeConfiguration<LeaseRow>
{
    public void Configure(EntityTypeBuilder<LeaseRow> builder)
    {
        builder.ToTable("leases");
        builder.HasKey(lease => lease.Name);
    }
}

/// <summary>Settings under <c>Leader__*</c>.</summary>
internal sealed class LeaderOptions
{
    private const string Longest = "00:05:00";

    /// <summary>Whatever another process has set, a lease runs no longer. A minute more, because clocks differ.</summary>
    public static readonly TimeSpan LongestLeft = TimeSpan.Parse(Longest, CultureInfo.InvariantCulture) + TimeSpan.FromMinutes(1);

    /// <summary>How long a killed or frozen leader keeps the others from leading.</summary>
    [Range(typeof(TimeSpan), "00:00:03", Longest)]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How often the leader renews its lease: three times before it runs out.</summary>
    public TimeSpan RenewEvery => Lease * 0.3;

    /// <summary>How often the others ask for the lease.</summary>
    public TimeSpan AskEvery => Lease * 0.1;

    /// <summary>How often the last leader asks during an outage.</summary>
    public TimeSpan AskAgainEvery => AskEvery / 5;
}

/// <summary>
/// Of several processes on one database exactly one leads. Another process takes over when the lease of a killed leader runs out, or
/// as soon as a leader that ends has released it. A frozen leader learns from the monotonic clock that its lease ran out. Its late
/// writes do no harm: they name its <see cref="Fence"/>, or are claims or compare-and-swaps.
/// </summary>
internal sealed partial class LeaderLease(
    IDbContextFactory<AutoTicketDbContext> contexts,
    DatabaseGate gate,
    IOptions<LeaderOptions> options,
    TimeProvider clock,
    ILogger<LeaderLease> logger
) : Loop(clock, logger)
{
    /// <summary>The row of <c>leases</c>.</summary>
    public const string Name = "leader";

    /// <summary>A database that does not answer within this time counts as away.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    /// <summary>Longer at the start, when everything is slow. Otherwise the process would act as a second leader.</summary>
    private static readonly TimeSpan PatienceAtStart = TimeSpan.FromSeconds(5);

    private readonly string _owner = $"{Environment.MachineName}/{Environment.ProcessId}/{Guid.NewGuid():N}";
    private volatile Held? _held;
    private volatile bool _ledLast = true;
    private volatile bool _isAway;
    private volatile TaskCompletionSource _answer = NewAnswer();
    private bool _loggedThatItLeads;

    private sealed record Held(long Since, long Fence);

    /// <summary>The leader's lease, if any process holds it at this time. A lease that ends later than any process may ask for is held by
    /// nobody: the clock was put back.</summary>
    public static Expression<Func<LeaseRow, bool>> HeldAt(DateTimeOffset now)
    {
        var last = now + LeaderOptions.LongestLeft;
        return lease => lease.Name == Name && lease.Until > now && lease.Until <= last;
    }

    /// <summary>Raised when <see cref="IsLeader"/> or <see cref="WasLeader"/> changed. Handlers return at once and never throw.</summary>
    public event Action? Changed;

    /// <summary>This process leads now. Ask again before each action that only the leader may take.</summary>
    public bool IsLeader => _held is { } held && Clock.GetElapsedTime(held.Since) < options.Value.Lease;

    /// <summary>The fencing token of the lease that this process took last; null: it never led, or leads no more. A statement that names
    /// it in its condition does nothing once another process leads, however late it runs.</summary>
    public long? Fence => _held?.Fence;

    /// <summary>This process led when the database last answered, or the database never answered. So its knowledge is the leader's, also
    /// while it renews the lease.</summary>
    public bool WasLeader => _ledLast;

    /// <summary>This process leads, or the database is away and it <see cref="WasLeader"/>. The operator must be notified then too, even if
    /// a second process does the same because only one of the two is cut off.</summary>
    public bool ActsAsLeader => IsLeader || (_ledLast && _isAway);

    /// <summary><see cref="ActsAsLeader"/>. Asks the database first, for at most a second, if the lease ran out unnoticed (as in a frozen
    /// process) or was never asked for.</summary>
    public async Task<bool> AskAsync(CancellationToken cancellationToken)
    {
        if (_ledLast && !ActsAsLeader)
        {
            var answer = _answer.Task;
            Wake();
            await Task.WhenAny(answer, Task.Delay(LongestWait, Clock, cancellationToken));
            if (answer.IsCompleted)
            {
                return _ledLast;
            }

            _isAway |= !cancellationToken.IsCancellationRequested;
        }

        return ActsAsLeader;
    }

    /// <summary>Waits for the first answer, so that the services that start later know whether this process leads.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        var answer = _answer.Task;
        await base.StartAsync(cancellationToken);
        await Task.WhenAny(answer, Task.Delay(PatienceAtStart, cancellationToken));
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        try
        {
            await TakeAsync();
        }
        finally
        {
            Interlocked.Exchange(ref _answer, NewAnswer()).SetResult();
        }

        return _ledLast && _isAway ? options.Value.AskAgainEvery
            : IsLeader ? options.Value.RenewEvery
            : options.Value.AskEvery;
    }

    protected override Task FinishAsync() => ReleaseAsync();

    private async Task TakeAsync()
    {
        var changed = false;
        Exception? refusal = null;
        try
        {
            if (!gate.IsOpen)
            {
                // The clock does not follow the database yet. A fast clock would take the lease from a leader that is alive.
                _isAway = true;
                return;
            }

            do
            {
                // Read before the question: the answer may be slow, and the lease runs from the time in the question.
                var asked = Clock.GetTimestamp();
                var now = Clock.GetUtcNow();
                // After an outage the last leader goes first: it knows which deliveries the database could not record. The others' first
                // question only shows that the database is back.
                var expired = _isAway && !_ledLast ? DateTimeOffset.UnixEpoch : now;
                await using var db = await contexts.CreateDbContextAsync();
                var fence = await db.QueryAsync(
                    $"""
                    INSERT INTO leases (name, owner, until, fence) VALUES ({Name}, {_owner}, {now + options.Value.Lease}, 1)
                    ON CONFLICT (name) DO UPDATE SET until = excluded.until, owner = excluded.owner,
                      fence = leases.fence + CASE WHEN leases.owner = excluded.owner THEN 0 ELSE 1 END
                    WHERE leases.owner = excluded.owner OR leases.until < {expired} OR leases.until > {now + LeaderOptions.LongestLeft}
                    RETURNING fence
                    """,
                    row => row.GetInt64(0),
                    CancellationToken.None
                );
                _held = fence is [var mine] ? new Held(asked, mine) : null;
                changed |= _ledLast != _held is not null;
                (_ledLast, _isAway) = (_held is not null, false);
            }
            // The lease has run out before its answer was read, as in a frozen process: ask again.
            while (_held is not null && !IsLeader);
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            // The database gate logs an outage, and the loop a refusal. A lease that is held runs out by itself.
            _isAway = true;
            refusal = Outages.IsRefusal(exception) ? exception : null;
        }

        if (_loggedThatItLeads != IsLeader)
        {
            _loggedThatItLeads = IsLeader;
            if (_loggedThatItLeads)
            {
                Log.Leads(logger, _held!.Fence);
            }
            else
            {
                Log.LeadsNoMore(logger);
            }

            changed = true;
        }

        if (changed)
        {
            Changed?.Invoke();
        }

        if (refusal is not null)
        {
            throw refusal;
        }
    }

    private static TaskCompletionSource NewAnswer() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task ReleaseAsync()
    {
        if (_held is null)
        {
            return;
        }

        (_held, _ledLast) = (null, false);
        try
        {
            await using var db = await contexts.CreateDbContextAsync();
            await db.ExecuteAsync(
                $"UPDATE leases SET until = {Clock.GetUtcNow() - options.Value.Lease} WHERE name = {Name} AND owner = {_owner}",
                CancellationToken.None
            );
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            // It runs out by itself.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "this process leads fence={Fence}")]
        public static partial void Leads(ILogger logger, long fence);

        [LoggerMessage(LogLevel.Information, "this process leads no more")]
        public static partial void LeadsNoMore(ILogger logger);
    }
}

/// <summary>A loop that only the leader runs. A new leader begins at once.</summary>
internal abstract class LeaderLoop(LeaderLease leader, TimeProvider clock, ILogger logger) : Loop(clock, logger)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);

    protected LeaderLease Leader => leader;

    protected override void Begin() => leader.Changed += Wake;

    /// <inheritdoc cref="Loop.TurnAsync"/>
    protected abstract Task<TimeSpan> LeadAsync(CancellationToken stoppingToken);

    protected sealed override Task<TimeSpan> TurnAsync(CancellationToken stoppingToken) =>
        leader.IsLeader ? LeadAsync(stoppingToken) : Task.FromResult(LookEvery);
}
