using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Sandbox;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

/// <summary>The leader is killed (SIGKILL) at each step from an alert to its ticket. Another process leads within one lease and
/// finishes: one ticket, one audit row, one episode.</summary>
public sealed class KilledLeaderTests : IAsyncLifetime
{
    private static readonly Dictionary<string, string> FlagOn = new()
    {
        ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
        ["Alerts__NotifySeverity"] = "P2",
        // A lost claim is taken over soon, but not while a busy machine delays the test.
        ["Leader__Lease"] = "00:00:04",
        ["Ticketing__ClickBudget"] = "00:00:08",
        ["Ticketing__Lease"] = "00:00:10",
        ["Ticketing__Grace"] = "00:00:10",
        ["FreeScout__CallTimeout"] = "00:00:08",
    };

    /// <summary>Covers the lease, its next check, the look-ups of a lost answer, and a busy machine.</summary>
    private static readonly TimeSpan TakeoverPatience = Eventually.Patience;

    private Consoles _all = null!;

    public async Task InitializeAsync()
    {
        _all = await Consoles.CreateAsync("pay");
        _all.Sandbox.Surface("pay").Answer(200);
    }

    public async Task DisposeAsync() => await _all.DisposeAsync();

    [Fact, Trait("Pitfall", "T-2"), Trait("Pitfall", "T-4")]
    public async Task Killed_after_the_claim_and_before_the_post()
    {
        await using var line = TcpProxy.To(_all.Sandbox.Url.AbsoluteUri);
        var doomed = await LeaderAsync(new() { ["FREESCOUT_BASE_URL"] = line.Through(_all.Sandbox.FreeScout.BaseUrl.AbsoluteUri) });
        var successor = await _all.StartHostAsync(FlagOn);
        line.Stall();
        _all.Sandbox.Surface("pay").Answer(503);
        await Eventually.TrueAsync(async () => await StateAsync() == TicketState.Filing, "the claim is taken");

        await doomed.KillAsync();
        line.Cut();

        await AssertOneTicketAsync(successor);
    }

    [Fact, Trait("Pitfall", "T-12")]
    public async Task Killed_after_FreeScout_made_the_ticket_and_before_its_answer()
    {
        var doomed = await LeaderAsync();
        var successor = await _all.StartHostAsync(FlagOn);
        using var hang = _all.Sandbox.Faults.Add(new(FaultKind.HangAfter) { Match = FaultMatch.FreeScoutCreate });
        _all.Sandbox.Surface("pay").Answer(503);
        await Eventually.TrueAsync(() => _all.TicketsOf("pay").Count == 1, "FreeScout has made the ticket");

        await doomed.KillAsync();

        await AssertOneTicketAsync(successor);
        Assert.Equal(1, _all.PostsFor("pay"));
    }

    [Fact]
    public async Task Killed_after_the_answer_and_before_it_is_recorded()
    {
        await using var line = TcpProxy.To(_all.Database.Location);
        var doomed = await LeaderAsync(new() { ["DATABASE_URL"] = line.Through(_all.Database.Location) });
        var successor = await _all.StartHostAsync(FlagOn);
        var slow = _all.Sandbox.Faults.Add(new(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate });
        _all.Sandbox.Surface("pay").Answer(503);
        await Eventually.TrueAsync(() => _all.Sandbox.FreeScout.CreatesInFlight == 1, "FreeScout has the request");
        line.Stall();
        slow.Dispose();
        await Eventually.TrueAsync(() => _all.Sandbox.FreeScout.CreatesInFlight == 0, "FreeScout has answered");

        await doomed.KillAsync();
        line.Cut();

        await AssertOneTicketAsync(successor);
        Assert.Equal(1, _all.PostsFor("pay"));
    }

    [Fact, Trait("Pitfall", "T-2")]
    public async Task Killed_with_the_ticket_open_the_next_process_files_no_second_one()
    {
        var doomed = await LeaderAsync();
        _all.Sandbox.Surface("pay").Answer(503);
        await Eventually.TrueAsync(async () => await FilingsAsync() == 1, "the ticket is filed");

        await doomed.KillAsync();
        var restarted = await _all.StartHostAsync(FlagOn);

        await Eventually.TrueAsync(() => restarted.Get<LeaderLease>().IsLeader, "the next console leads");
        await AssertOneTicketAsync(restarted);
        Assert.Equal(1, _all.PostsFor("pay"));
    }

    /// <summary>A leader is frozen past its lease during a filing. After it resumes, it repeats nothing.</summary>
    [Fact]
    public async Task A_leader_frozen_during_a_filing_repeats_nothing()
    {
        var frozen = await LeaderAsync();
        var successor = await _all.StartHostAsync(FlagOn);
        using (_all.Sandbox.Faults.Add(new(FaultKind.HangBefore) { Match = FaultMatch.FreeScoutCreate }))
        {
            _all.Sandbox.Surface("pay").Answer(503);
            await Eventually.TrueAsync(() => _all.Sandbox.FreeScout.CreatesInFlight == 1, "FreeScout has the request");
            frozen.Freeze();
        }

        await Eventually.TrueAsync(async () => await FilingsAsync() == 1, "the other console files the ticket", TakeoverPatience);
        frozen.Thaw();
        await AssertOneTicketAsync(successor);
    }

    private async Task<ConsoleProcess> LeaderAsync(Dictionary<string, string>? settings = null)
    {
        var console = await _all.StartAsync(FlagOn.Concat(settings ?? []).ToDictionary());
        await Eventually.TrueAsync(async () => await LeadsAsync(console), "the first process leads");
        return console;
    }

    private static Task<bool> LeadsAsync(ConsoleProcess console) =>
        Task.FromResult(console.Output.ToString().Contains("this process leads fence=", StringComparison.Ordinal));

    private async Task AssertOneTicketAsync(ConsoleHost successor)
    {
        await Eventually.TrueAsync(
            async () => await FilingsAsync() == 1 && await StateAsync() == TicketState.Open,
            "the ticket is filed and recorded",
            TakeoverPatience
        );
        // On a busy machine the first click may answer "degraded" without a ticket. A click must never name another ticket.
        long? named = null;
        await Eventually.TrueAsync(
            async () => (named = (await successor.InvestigateAsync("pay")).Ticket) is not null,
            "a click finds a ticket",
            TakeoverPatience
        );
        Assert.Equal(Assert.Single(_all.TicketsOf("pay")).Id, named);
        await using var db = _all.Database.Open();
        await Eventually.TrueAsync(
            async () => await db.AlertDeliveries.CountAsync(d => d.Hook == "ticket") == 1,
            "the delivery is recorded",
            TakeoverPatience
        );
        Assert.Equal(1, await db.Alerts.CountAsync());
        Assert.Single(_all.TicketsOf("pay"));
    }

    private async Task<int> FilingsAsync()
    {
        await using var db = _all.Database.Open();
        return await db.AuditLog.CountAsync(entry => entry.Action == AuditActions.AlertTicketFiled);
    }

    private async Task<TicketState?> StateAsync()
    {
        await using var db = _all.Database.Open();
        return await db.Tickets.OrderByDescending(ticket => ticket.Id).Select(ticket => (TicketState?)ticket.State).FirstOrDefaultAsync();
    }
}
