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

/// <summary>A console on a database in which another holds the lead, for longer than any test takes.</summary>
public sealed class FollowerTests : IAsyncLifetime
{
    private TestDatabase _database = null!;
    private SandboxServer _sandbox = null!;

    [Theory, BothDatabases, Trait("Pitfall", "T-25")]
    public async Task It_shows_what_the_leader_read_before_and_after_its_start_and_asks_nobody(Database kind)
    {
        await LeadAsync(kind);
        await StoreAsync(ReadingOutcome.Failed, SurfaceStatus.Down);
        await StoreLostAnswerAsync();

        await using var console = await StartAsync();
        var board = console.Get<StatusBoard>();
        await Eventually.TrueAsync(() => board.Find("pay")!.Status == SurfaceStatus.Down, "it shows what was stored before its start");
        await StoreAsync(ReadingOutcome.Ok, SurfaceStatus.Operational);
        await Eventually.TrueAsync(() => board.Find("pay")!.Status == SurfaceStatus.Operational, "it shows what was stored since");

        Assert.Equal(2, board.Find("pay")!.History.Count);
        Assert.Equal((0, 0), (_sandbox.Surface("pay").RequestCount, _sandbox.FreeScout.RequestCount));
    }

    /// <summary>It finds out up to three seconds later, and what it reads until then nobody stores.</summary>
    [Theory, BothDatabases, Trait("Pitfall", "T-25")]
    public async Task One_that_led_forgets_what_it_read_since_another_does(Database kind)
    {
        (_database, _sandbox) = (await TestDatabase.CreateAsync(kind), await SandboxServer.StartAsync());
        await using var console = await StartAsync(interval: "00:00:00.2");
        var (board, leader) = (console.Get<StatusBoard>(), console.Get<LeaderLease>());
        await Eventually.TrueAsync(() => leader.IsLeader && board.Find("pay")!.History.Count > 0, "it leads and reads");
        await using var db = _database.Open();
        var until = TimeProvider.System.GetUtcNow().AddHours(1);
        await db.Leases.ExecuteUpdateAsync(set =>
            set.SetProperty(lease => lease.Owner, "another").SetProperty(lease => lease.Fence, 7).SetProperty(lease => lease.Until, until)
        );

        await Eventually.TrueAsync(() => !leader.IsLeader, "it finds out");

        await Eventually.TrueAsync(
            async () => board.Find("pay")!.History.Count == await db.SurfaceReadings.CountAsync(),
            "its board is what is stored"
        );
    }

    /// <summary>Else what the one before still does would count as its own.</summary>
    [Theory, BothDatabases, Trait("Pitfall", "T-25")]
    public async Task One_that_takes_the_lead_over_has_the_next_fence(Database kind)
    {
        await LeadAsync(kind, hours: -1);
        await using var console = await StartAsync();
        var leader = console.Get<LeaderLease>();

        await Eventually.TrueAsync(() => leader.IsLeader, "it leads");

        Assert.Equal(8, leader.Fence);
    }

    [Theory, BothDatabases]
    public async Task One_that_leads_renews_its_lease_and_leads_on(Database kind)
    {
        (_database, _sandbox) = (await TestDatabase.CreateAsync(kind), await SandboxServer.StartAsync());
        await using var console = await StartAsync();
        await using var db = _database.Open();
        var taken = (await db.Leases.AsNoTracking().SingleAsync()).Until;

        await Eventually.TrueAsync(() => db.Leases.AnyAsync(lease => lease.Until > taken), "it is renewed");

        Assert.True(console.Get<LeaderLease>().IsLeader);
        Assert.DoesNotContain(console.Log, line => line.Contains("leads no more", StringComparison.Ordinal));
    }

    [Theory, BothDatabases, Trait("Pitfall", "T-25")]
    public async Task What_only_the_leader_may_say_is_not_taken_from_it(Database kind)
    {
        await LeadAsync(kind);
        await using var console = await StartAsync();
        var alerts = console.Get<AlertAggregator>();

        Assert.Null(await alerts.ObserveAsync([AlertDriver.Say()], default, isLeaders: true));

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

    private async Task LeadAsync(Database kind, int hours = 1)
    {
        (_database, _sandbox) = (await TestDatabase.CreateAsync(kind), await SandboxServer.StartAsync());
        await using var db = _database.Open();
        db.Leases.Add(
            new LeaseRow
            {
                Name = LeaderLease.Name,
                Owner = "another",
                Until = TimeProvider.System.GetUtcNow().AddHours(hours),
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

    private async Task StoreAsync(ReadingOutcome outcome, SurfaceStatus status)
    {
        var now = TimeProvider.System.GetUtcNow();
        await using var db = _database.Open();
        db.SurfaceReadings.Add(Reading(outcome, now) with { Status = status, Since = now });
        await db.SaveChangesAsync();
    }
}
