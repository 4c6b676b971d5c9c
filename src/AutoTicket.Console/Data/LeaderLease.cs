using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Data;

/// <summary>
/// Of several processes on one database exactly one leads. The lease lasts ten seconds and is renewed every three: of a leader that
/// was killed another takes over within that time, of one that ends, at once. One that was frozen finds out by the monotonic
/// clock before it acts, and whatever it still does is fenced by claims and compare-and-swaps.
/// </summary>
internal sealed partial class LeaderLease(IDbContextFactory<AutoTicketDbContext> contexts, TimeProvider clock, ILogger<LeaderLease> logger) : BackgroundService
{
    public static readonly TimeSpan Duration = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RenewEvery = TimeSpan.FromSeconds(3);
    public const string Name = "leader";

    private readonly string _owner = $"{Environment.MachineName}/{Environment.ProcessId}/{Guid.NewGuid():N}";
    private readonly Nudge _pause = new();
    private volatile Held? _held;

    private sealed record Held(long Since, long Fence);

    /// <summary>Raised when this process became the leader, or is no more. Handlers return at once and never throw.</summary>
    public event Action? Changed;

    /// <summary>This process leads now. Ask again before each thing that only the leader may do.</summary>
    public bool IsLeader => _held is { } held && clock.GetElapsedTime(held.Since) < Duration;

    /// <summary>This process led when the database was last heard of, or has not heard of it yet: while it is away nobody can be asked
    /// who tells the operator.</summary>
    public bool WasLeader { get; private set; } = true;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await TakeAsync();
            await _pause.WaitAsync(RenewEvery, stoppingToken);
        }

        await ReleaseAsync();
    }

    private async Task TakeAsync()
    {
        var led = IsLeader;
        try
        {
            // From before the question: the answer may be slow, and the lease runs from when the database wrote it.
            var asked = clock.GetTimestamp();
            var now = clock.GetUtcNow();
            await using var db = await contexts.CreateDbContextAsync();
            var fence = await db.QueryAsync($"""
                INSERT INTO leases (name, owner, until, fence) VALUES ({Name}, {_owner}, {now + Duration}, 1)
                ON CONFLICT (name) DO UPDATE SET until = excluded.until, fence = leases.fence + CASE WHEN leases.owner = excluded.owner THEN 0 ELSE 1 END, owner = excluded.owner
                WHERE leases.owner = excluded.owner OR leases.until < {now}
                RETURNING fence
                """, row => row.GetInt64(0), CancellationToken.None);
            _held = fence is [var mine] ? new Held(asked, mine) : null;
            WasLeader = _held is not null;
        }
        catch (Exception exception) when (contexts.IsOutage(exception))
        {
            // The database gate says so. What is held runs out by itself.
        }

        if (led != IsLeader)
        {
            if (IsLeader)
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

    private async Task ReleaseAsync()
    {
        if (_held is null)
        {
            return;
        }

        _held = null;
        try
        {
            await using var db = await contexts.CreateDbContextAsync();
            await db.ExecuteAsync($"UPDATE leases SET until = {clock.GetUtcNow() - Duration} WHERE name = {Name} AND owner = {_owner}", CancellationToken.None);
        }
        catch (Exception exception) when (contexts.IsOutage(exception))
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
