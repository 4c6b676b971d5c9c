using AutoTicket.Data;
using AutoTicket.Tests.Kit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Storage;

/// <summary>The lease without a host. The clock moves only when a test moves it.</summary>
public sealed class LeaderLeaseTests : IAsyncLifetime
{
    private static readonly LeaderOptions Options = new();
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly StillClock _clock = new();
    private readonly List<BackgroundService> _services = [];
    private TestDatabase _database = null!;

    public async Task InitializeAsync() => _database = await TestDatabase.CreateAsync(Database.Sqlite);

    public async Task DisposeAsync()
    {
        foreach (var service in _services)
        {
            await service.StopAsync(default);
            service.Dispose();
        }

        await _database.DisposeAsync();
    }

    [Fact]
    [Trait("Pitfall", "T-25")]
    public async Task One_of_two_leads_and_the_other_takes_over_with_the_next_fence_when_the_lease_has_expired()
    {
        var contexts = new Contexts(_database);
        var (first, second) = (await StartAsync(contexts), await StartAsync());
        var changes = 0;
        second.Changed += () => changes++;
        Assert.Equal((true, false, null), (first.IsLeader, second.IsLeader, second.Fence));

        contexts.IsAway = true;
        _clock.Advance(Options.Lease);
        Assert.False(first.IsLeader);

        await _clock.AdvanceUntilAsync(Second, () => Task.FromResult(second.IsLeader && changes > 0), "the second process leads");
        Assert.Equal(first.Fence + 1, second.Fence);
    }

    [Fact]
    public async Task A_leader_renews_its_lease_with_the_same_fence_and_gives_it_back_when_it_stops()
    {
        var lease = await StartAsync();
        var fence = lease.Fence;
        for (var second = 0; second < 2 * Options.Lease.TotalSeconds; second++)
        {
            _clock.Advance(Second);
            await Eventually.TrueAsync(() => lease.IsLeader, "the process leads");
        }

        Assert.Equal(fence, lease.Fence);
        await lease.StopAsync(default);
        Assert.Equal((false, null), (lease.IsLeader, lease.Fence));
        await using var db = _database.Open();
        Assert.True((await db.Leases.SingleAsync()).Until < _clock.GetUtcNow());
    }

    [Fact]
    [Trait("Pitfall", "T-25")]
    public async Task A_lease_starts_at_the_request_and_is_requested_again_if_it_expires_before_the_answer()
    {
        var slow = await StartAsync(new Contexts(_database) { BeforeFirst = () => _clock.Advance(Options.Lease - Second) });
        Assert.True(slow.IsLeader);
        _clock.Advance(Second);
        Assert.False(slow.IsLeader);
        await slow.StopAsync(default);

        var frozen = await StartAsync(new Contexts(_database) { BeforeFirst = () => _clock.Advance(Options.Lease) });
        Assert.True(frozen.IsLeader);
    }

    /// <summary>No process can hold it: the clock was put back since it was written.</summary>
    [Theory, BothDatabases]
    public async Task A_lease_that_ends_later_than_any_process_may_ask_for_is_taken(Database kind)
    {
        await _database.DisposeAsync();
        _database = await TestDatabase.CreateAsync(kind);
        await using var db = _database.Open();
        var lease = new LeaseRow
        {
            Name = LeaderLease.Name,
            Owner = "another",
            // The longest lease that the settings allow. The other process may have another setting.
            Until = _clock.GetUtcNow().AddMinutes(5),
            Fence = 7,
        };
        db.Leases.Add(lease);
        await db.SaveChangesAsync();
        Assert.False((await StartAsync()).IsLeader);

        lease.Until = _clock.GetUtcNow().AddHours(1);
        await db.SaveChangesAsync();
        var next = await StartAsync();

        Assert.Equal((true, 8), (next.IsLeader, next.Fence));
    }

    [Fact]
    public async Task While_the_database_is_away_the_last_leader_acts_as_the_leader()
    {
        var contexts = new Contexts(_database);
        var lease = await StartAsync(contexts);

        contexts.IsAway = true;
        _clock.Advance(Options.Lease);

        await Eventually.TrueAsync(() => lease.ActsAsLeader, "the last leader acts as the leader");
        Assert.False(lease.IsLeader);
    }

    /// <summary>It knows which deliveries the database could not record.</summary>
    [Theory, BothDatabases]
    public async Task After_an_outage_that_is_longer_than_the_lease_the_last_leader_leads_again(Database kind)
    {
        await _database.DisposeAsync();
        _database = await TestDatabase.CreateAsync(kind);
        var (mine, others) = (new Contexts(_database), new Contexts(_database));
        var (first, second) = (await StartAsync(mine), await StartAsync(others));
        (mine.IsAway, others.IsAway) = (true, true);
        var asked = others.Made;
        await _clock.AdvanceUntilAsync(
            Second,
            () => Task.FromResult(!first.IsLeader && others.Made > asked),
            "the lease has expired, and both know of the outage"
        );

        // The other process is the first to ask.
        others.IsAway = false;
        asked = others.Made;
        await _clock.AdvanceUntilAsync(Second, () => Task.FromResult(others.Made > asked), "the other process asks");
        mine.IsAway = false;
        await Eventually.TrueAsync(() => first.IsLeader, "the last leader leads, though the clock stands still");
        Assert.False(second.IsLeader);
    }

    [Fact]
    public async Task An_expired_lease_is_requested_again_and_a_database_that_hangs_counts_as_away()
    {
        var contexts = new Contexts(_database);
        var lease = await StartAsync(contexts);
        _clock.Advance(Options.Lease);
        Assert.True(await lease.AskAsync(default));

        await Eventually.TrueAsync(() => lease.IsLeader, "the process leads again");
        contexts.Hangs = new TaskCompletionSource();
        _clock.Advance(Options.Lease);
        var asking = lease.AskAsync(default);
        await _clock.AdvanceUntilAsync(Second, () => Task.FromResult(asking.IsCompleted), "the request for the lease times out");
        Assert.True(await asking);
        contexts.Hangs.SetResult();
    }

    [Fact]
    public async Task A_process_whose_clock_is_not_set_requests_no_lease()
    {
        var lease = await StartAsync(isOpen: false);

        Assert.False(lease.IsLeader);
        await using var db = _database.Open();
        Assert.Empty(await db.Leases.ToListAsync());
    }

    private async Task<LeaderLease> StartAsync(Contexts? contexts = null, bool isOpen = true)
    {
        var gate = new DatabaseGate(
            new Contexts(_database),
            new DatabaseClock(_clock),
            new HostingEnvironment { EnvironmentName = Environments.Development },
            new ApplicationLifetime(NullLogger<ApplicationLifetime>.Instance),
            NullLogger<DatabaseGate>.Instance
        );
        _services.Add(gate);
        if (isOpen)
        {
            await gate.StartAsync(default);
        }

        var lease = new LeaderLease(
            contexts ?? new Contexts(_database),
            gate,
            Microsoft.Extensions.Options.Options.Create(Options),
            _clock,
            NullLogger<LeaderLease>.Instance
        );
        _services.Add(lease);
        await lease.StartAsync(default);
        return lease;
    }

    private sealed class Contexts(TestDatabase database) : IDbContextFactory<AutoTicketDbContext>
    {
        public bool IsAway { get; set; }

        public int Made { get; private set; }

        /// <summary>The database does not answer until this completes.</summary>
        public TaskCompletionSource? Hangs { get; set; }

        /// <summary>Runs between the first request for the lease and its answer.</summary>
        public Action? BeforeFirst { get; set; }

        public AutoTicketDbContext CreateDbContext()
        {
            Made++;
            var happen = BeforeFirst;
            BeforeFirst = null;
            happen?.Invoke();
            var nowhere = new DbContextOptionsBuilder<SqliteDbContext>().UseSqlite("Data Source=/nowhere/autoticket.db").Options;
            return IsAway ? new SqliteDbContext(nowhere) : database.Open();
        }

        public async Task<AutoTicketDbContext> CreateDbContextAsync(CancellationToken cancellationToken)
        {
            await (Hangs?.Task ?? Task.CompletedTask);
            return CreateDbContext();
        }
    }
}
