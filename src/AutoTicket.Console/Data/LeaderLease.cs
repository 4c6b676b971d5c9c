using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Data;

/// <summary>
/// Of several processes on one database exactly one leads. The lease lasts <see cref="LeaderOptions.Lease"/>: another process takes over when that of a
/// leader that was killed runs out, and at its next question when a leader ends. One that was frozen finds out by
/// the monotonic clock before it acts, and whatever it still does is fenced by <see cref="Fence"/>, by claims and by compare-and-swaps.
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

    /// <summary>A database that has not answered for this long is as good as away.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>Longer at the start, when everything is slow: a process that took the database for away would watch beside the leader.</summary>
    private static readonly TimeSpan PatienceAtStart = TimeSpan.FromSeconds(5);

    private readonly string _owner = $"{Environment.MachineName}/{Environment.ProcessId}/{Guid.NewGuid():N}";
    private volatile Held? _held;
    private volatile bool _ledLast = true;
    private volatile bool _isAway;
    private volatile TaskCompletionSource _answer = NewAnswer();
    private bool _toldThatItLeads;

    private sealed record Held(long Since, long Fence);

    /// <summary>Raised when this process became the leader, or is no more. Handlers return at once and never throw.</summary>
    public event Action? Changed;

    /// <summary>This process leads now. Ask again before each thing that only the leader may do.</summary>
    public bool IsLeader => _held is { } held && Clock.GetElapsedTime(held.Since) < options.Value.Lease;

    /// <summary>Counts the leaders: a statement that names it in its condition does nothing once another leads, however late it comes.
    /// Null: this process has never led, or leads no more.</summary>
    public long? Fence => _held?.Fence;

    /// <summary>This process led when the database last answered, or it never did yet: what it knows is the leader's knowledge, also
    /// while the lease is being renewed.</summary>
    public bool WasLeader => _ledLast;

    /// <summary>This process leads or, while the database is away and nobody can be asked, led when it last answered (or it never did yet):
    /// somebody must watch and tell the operator. Two may do so then, when only one of them is cut off; only one of them can store it.</summary>
    public bool ActsAsLeader => IsLeader || (_ledLast && _isAway);

    /// <summary><see cref="ActsAsLeader"/>, and when a lease ran out unnoticed, as in a process that was frozen, or was never asked for,
    /// asks the database first: a second at most.</summary>
    public async Task<bool> AskAsync(CancellationToken cancellationToken)
    {
        if (_ledLast && !ActsAsLeader)
        {
            var answer = _answer.Task;
            Wake();
            await Task.WhenAny(answer, Task.Delay(Patience, Clock, cancellationToken));
            if (answer.IsCompleted)
            {
                return _ledLast;
            }

            _isAway |= !cancellationToken.IsCancellationRequested;
        }

        return ActsAsLeader;
    }

    /// <summary>The services that start after this one know whether this process leads.</summary>
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

        return IsLeader ? options.Value.RenewEvery : options.Value.AskEvery;
    }

    protected override Task FinishAsync() => ReleaseAsync();

    private async Task TakeAsync()
    {
        try
        {
            if (!gate.IsOpen)
            {
                // The clock is not set by the database yet: a fast one would take the lease from a leader that is alive.
                _isAway = true;
                return;
            }

            do
            {
                // From before the question: the answer may be slow, and the lease runs from when the database wrote it.
                var asked = Clock.GetTimestamp();
                var now = Clock.GetUtcNow();
                await using var db = await contexts.CreateDbContextAsync();
                var fence = await db.QueryAsync(
                    $"""
                    INSERT INTO leases (name, owner, until, fence) VALUES ({Name}, {_owner}, {now + options.Value.Lease}, 1)
                    ON CONFLICT (name) DO UPDATE SET until = excluded.until, fence = leases.fence + CASE WHEN leases.owner = excluded.owner THEN 0 ELSE 1 END, owner = excluded.owner
                    WHERE leases.owner = excluded.owner OR leases.until < {now}
                    RETURNING fence
                    """,
                    row => row.GetInt64(0),
                    CancellationToken.None
                );
                _held = fence is [var mine] ? new Held(asked, mine) : null;
                (_ledLast, _isAway) = (_held is not null, false);
            }
            // An answer that was read a lease later, as by a process that was frozen meanwhile, says nothing of now.
            while (_held is not null && !IsLeader);
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            // The database gate says so. What is held runs out by itself.
            _isAway = true;
        }

        if (_toldThatItLeads != IsLeader)
        {
            _toldThatItLeads = IsLeader;
            if (_toldThatItLeads)
            {
                Log.Leads(logger, _held!.Fence);
            }
            else
            {
                Log.LeadsNoMore(logger);
            }

            Changed?.Invoke();
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
