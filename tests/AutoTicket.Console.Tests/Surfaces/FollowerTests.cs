using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Alerts;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using static AutoTicket.Tests.Surfaces.Readings;

namespace AutoTicket.Tests.Surfaces;

/// <summary>A console on a database where another process holds the lease for longer than any test.</summary>
public sealed class FollowerTests : IAsyncLifetime
{
    private TestDatabase _database = null!;
    private SandboxServer _sandbox = null!;

    [Theory, BothDatabases, Trait("Pitfall", "T-25")]
    public async Task A_follower_shows_the_leaders_readings_and_makes_no_calls(Database kind)
    {
        await LetAnotherLeadAsync(kind);
        await StoreAsync(ReadingOutcome.Failed, SurfaceStatus.Down);
        await StoreLostAnswerAsync();

        await using var console = await StartAsync();
        var board = console.Get<StatusBoard>();
        await Eventually.TrueAsync(
            () => board.Find("pay")!.Status == SurfaceStatus.Down,
            "the board shows the reading stored before its start"
        );
        await StoreAsync(ReadingOutcome.Ok, SurfaceStatus.Operational);
        await Eventually.TrueAsync(
            () => board.Find("pay")!.Status == SurfaceStatus.Operational,
            "the board shows the reading stored since"
        );

        Assert.Equal(2, board.Find("pay")!.History.Count);
        Assert.Equal((0, 0), (_sandbox.Surface("pay").RequestCount, _sandbox.FreeScout.RequestCount));
    }

    /// <summary>The former leader notices the lost lease up to three seconds late. The readings it made until then are not
    /// stored.</summary>
    [Theory, BothDatabases, Trait("Pitfall", "T-25")]
    public async Task A_former_leader_drops_readings_made_after_it_lost_the_lease(Database kind)
    {
        (_database, _sandbox) = (await TestDatabase.CreateAsync(kind), await SandboxServer.StartAsync());
        await using var console = await StartAsync(interval: "00:00:00.2");
        var (board, leader) = (console.Get<StatusBoard>(), console.Get<LeaderLease>());
        await Eventually.TrueAsync(() => leader.IsLeader && board.Find("pay")!.History.Count > 0, "the console leads and polls");
        await using var db = _database.Open();
        var until = TimeProvider.System.GetUtcNow().AddMinutes(5);
        await db.Leases.ExecuteUpdateAsync(set =>
            set.SetProperty(lease => lease.Owner, "another").SetProperty(lease => lease.Fence, 7).SetProperty(lease => lease.Until, until)
        );

        await Eventually.TrueAsync(() => !leader.IsLeader, "the former leader notices");

        await Eventually.TrueAsync(
            async () => board.Find("pay")!.History.Count == await db.SurfaceReadings.CountAsync(),
            "the board shows only stored readings"
        );
    }

    /// <summary>With the old fencing token, late writes of the former leader would count as its own.</summary>
    [Theory, BothDatabases, Trait("Pitfall", "T-25")]
    public async Task A_new_leader_has_the_next_fencing_token(Database kind)
    {
        await LetAnotherLeadAsync(kind, minutes: -1);
        await using var console = await StartAsync();
        var leader = console.Get<LeaderLease>();

        await Eventually.TrueAsync(() => leader.IsLeader, "the console leads");

        Assert.Equal(8, leader.Fence);
    }

    /// <summary>As after a step of the clock: the last leader's readings are dated in the future.</summary>
    [Fact]
    public async Task A_new_leader_polls_at_the_latest_after_an_interval()
    {
        await LetAnotherLeadAsync(Database.Sqlite);
        await StoreAsync(ReadingOutcome.Ok, SurfaceStatus.Operational, TimeProvider.System.GetUtcNow().AddHours(1));
        await using var console = await StartAsync(interval: "00:00:00.2");
        await Eventually.TrueAsync(() => console.Get<StatusBoard>().Find("pay")!.History.Count == 1, "the board shows the reading");
        Assert.Equal(SurfaceStatus.Stale, console.Get<StatusBoard>().Find("pay")!.Status);

        await using var db = _database.Open();
        await db.Leases.Where(lease => lease.Name == LeaderLease.Name).ExecuteDeleteAsync();

        await Eventually.TrueAsync(() => _sandbox.Surface("pay").RequestCount > 0, "the new leader polls");
        await Eventually.TrueAsync(() => console.Get<StatusBoard>().Find("pay")!.Status == SurfaceStatus.Operational, "it is fresh");
    }

    [Theory, BothDatabases]
    public async Task A_leader_renews_its_lease_and_keeps_leading(Database kind)
    {
        (_database, _sandbox) = (await TestDatabase.CreateAsync(kind), await SandboxServer.StartAsync());
        await using var console = await StartAsync();
        await using var db = _database.Open();
        var taken = (await db.Leases.AsNoTracking().SingleAsync(lease => lease.Name == LeaderLease.Name)).Until;

        await Eventually.TrueAsync(
            () => db.Leases.AnyAsync(lease => lease.Name == LeaderLease.Name && lease.Until > taken),
            "the lease is renewed"
        );

        Assert.True(console.Get<LeaderLease>().IsLeader);
        Assert.DoesNotContain(console.Log, line => line.Contains("leads no more", StringComparison.Ordinal));
    }

    [Theory, BothDatabases, Trait("Pitfall", "T-25")]
    public async Task A_follower_may_not_record_the_leaders_alerts(Database kind)
    {
        await LetAnotherLeadAsync(kind);
        await using var console = await StartAsync();
        var alerts = console.Get<AlertAggregator>();

        Assert.Null(await alerts.ObserveAsync([AlertDriver.Say()], default, onlyAsLeader: true));

        await using var db = _database.Open();
        Assert.Empty(await db.Alerts.ToListAsync());
        Assert.NotNull(await alerts.ObserveAsync([AlertDriver.Say()], default));
        Assert.Single(await db.Alerts.ToListAsync());
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _sandbox.DisposeAsync();
        await _database.DisposeAsync();
    }

    private Task<ConsoleHost> StartAsync(string interval = "00:00:30") =>
        ConsoleHost.StartAsync(
            _database,
            _sandbox,
            new Dictionary<string, string?>(ConsoleHost.SurfaceSettings(0, "pay", _sandbox.Surface("pay").Url))
            {
                ["Status:PollInterval"] = interval,
            }
        );

    private async Task LetAnotherLeadAsync(Database kind, int minutes = 5)
    {
        (_database, _sandbox) = (await TestDatabase.CreateAsync(kind), await SandboxServer.StartAsync());
        await using var db = _database.Open();
        db.Leases.Add(
            new LeaseRow
            {
                Name = LeaderLease.Name,
                Owner = "another",
                Until = TimeProvider.System.GetUtcNow().AddMinutes(minutes),
                Fence = 7,
            }
        );
        await db.SaveChangesAsync();
    }

    private async Task StoreLostAnswerAsync()
    {
        await using var db = _database.Open();
        db.Tickets.Add(
            new Ticket
            {
                Marker = "at-0123456789",
                DedupKey = "lost",
                Severity = Severity.P2,
                State = TicketState.Unconfirmed,
                FiledBy = "test",
                Subject = "lost",
                AuditAction = AuditActions.AlertTicketFiled,
                Tag = TicketTags.Alert,
                PostedAt = TimeProvider.System.GetUtcNow(),
            }
        );
        await db.SaveChangesAsync();
    }

    private async Task StoreAsync(ReadingOutcome outcome, SurfaceStatus status, DateTimeOffset? at = null)
    {
        var now = at ?? TimeProvider.System.GetUtcNow();
        await using var db = _database.Open();
        db.SurfaceReadings.Add(Reading(outcome, now) with { Status = status, Since = now });
        await db.SaveChangesAsync();
    }
}
