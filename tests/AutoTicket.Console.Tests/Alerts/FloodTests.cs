using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Alerts;

/// <summary>Too many tickets within the window pause filing in every process until an operator resets the breaker.</summary>
public sealed class FloodTests
{
    private static readonly Dictionary<string, string?> Small = new()
    {
        ["Ticketing:FloodBudget"] = "4",
        ["Ticketing:FloodBudgetPerSource"] = "3",
    };

    [Theory, BothDatabases]
    public async Task A_source_over_its_budget_is_paused_with_one_summary_ticket_and_others_are_not(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(kind, Small);
        await driver.RaiseAsync([.. Enumerable.Range(0, 10).Select(n => AlertDriver.Say($"noise{n}", source: "noisy"))]);

        // Three of the ten alerts, and the summary ticket.
        await driver.EventuallyTicketsAsync(4);
        await Eventually.TrueAsync(
            async () => (await driver.DecisionsAsync()).Count(d => d.Word.Text == "breaker tripped") == 7,
            "seven are kept with their decision"
        );
        Assert.Single(driver.FreeScout.Conversations, c => c.Subject.Contains("ticket_flood", StringComparison.Ordinal));

        await driver.RaiseAsync(AlertDriver.Say("calm", source: "calm"));
        await driver.EventuallyTicketsAsync(5);
        var breaker = Assert.Single((await driver.Console.Get<FloodBreaker>().ReadAsync(default))!);
        Assert.Equal("noisy", breaker.Scope);
        Assert.Equal("Too many alerts from noisy (3 tickets in 5 min).", breaker.Reason);
        var pause = $"{breaker.Reason} Paused until {UtcTime.Stamp(breaker.Until!.Value)}.";
        Assert.Equal(
            $"{pause} Then 1 ticket per 5 min until an operator resets the breaker.",
            (await driver.AlertsAsync()).Single(alert => alert.Name == FloodBreaker.AlertName).Summary
        );

        // The alert's labels and the summary ticket name the source too.
        Assert.Equal("""{"source":"noisy"}""", (await driver.AlertsAsync()).Single(alert => alert.Name == FloodBreaker.AlertName).Labels);
        var summary = driver.FreeScout.Conversations.Single(c => c.Subject.Contains(FloodBreaker.AlertName, StringComparison.Ordinal));
        Assert.Contains("source=noisy", summary.Threads[0].Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Failed_creates_use_no_budget()
    {
        await using var driver = await AlertDriver.StartAsync(settings: Small);
        // Two more alerts than the budget arrive at once; FreeScout refuses the first three creates.
        driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Status)
            {
                Match = FaultMatch.FreeScoutCreate,
                StatusCode = 422,
                Body = """{"message":"Error occurred"}""",
                Times = 3,
            }
        );
        await driver.RaiseAsync([.. Enumerable.Range(0, 5).Select(n => AlertDriver.Say($"alert{n}"))]);

        await driver.EventuallyTicketsAsync(2);

        await Eventually.TrueAsync(
            async () => (await driver.DecisionsAsync()).Count(d => d.Word.Text == "degraded: refused") == 3,
            "three are refused"
        );
        Assert.Empty((await driver.Console.Get<FloodBreaker>().ReadAsync(default))!);
    }

    [Theory, BothDatabases]
    public async Task A_FreeScout_outage_with_restarts_trips_no_breaker_and_each_alert_gets_its_ticket(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(
            kind,
            new Dictionary<string, string?>(AlertOutageTests.Quick)
            {
                ["Ticketing:FloodBudget"] = "4",
                ["Ticketing:FloodBudgetPerSource"] = "4",
            }
        );
        var outage = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutCreate, StatusCode = 503 });
        await driver.RaiseAsync([.. Enumerable.Range(0, 4).Select(n => AlertDriver.Say($"alert{n}", Severity.P1, source: "one"))]);
        for (var restart = 0; restart < 2; restart++)
        {
            await driver.EventuallyUnconfirmedAsync(2);
            await driver.StopAsync(driver.Console);
            await driver.StartConsoleAsync();
        }

        outage.Dispose();
        await driver.EventuallyTicketsAsync(4);

        Assert.Empty((await driver.Console.Get<FloodBreaker>().ReadAsync(default))!);
        Assert.Equal(4, driver.FreeScout.CreatedCount);
    }

    [Fact]
    public async Task A_trip_that_could_not_be_written_is_written_with_the_next_alert_of_the_pass()
    {
        await using var driver = await AlertDriver.StartAsync(Database.Postgres, Small);
        var pass = new FloodPass(
            driver.Console.Get<FloodTrip>(),
            new TicketingOptions(),
            TimeProvider.System.GetUtcNow(),
            [],
            new() { ["test"] = 5 }
        );
        var alert = TicketPassTests.Notices(1)[0].Alert;
        await ExecuteAsync("ALTER TABLE flood_breaker RENAME TO away");
        await Assert.ThrowsAnyAsync<Exception>(() => pass.ReserveAsync(alert));
        await ExecuteAsync("ALTER TABLE away RENAME TO flood_breaker");

        Assert.NotNull((await pass.ReserveAsync(alert))?.Alert);

        Assert.Equal("test", Assert.Single((await driver.Console.Get<FloodBreaker>().ReadAsync(default))!).Scope);
        Assert.Equal("The flood breaker tripped just now.", (await pass.ReserveAsync(alert))?.Reason);

        async Task ExecuteAsync(string sql)
        {
            await using var db = driver.Database.Open();
            await db.Database.ExecuteSqlRawAsync(sql);
        }
    }

    [Theory, BothDatabases]
    public async Task A_breaker_and_its_alert_match_again_after_a_lost_write(Database kind)
    {
        var clock = new StillClock();
        await using var driver = await AlertDriver.StartAsync(kind, Small, clock);
        await using var db = driver.Database.Open();

        // A trip was stored, but the write of its alert was lost. Below, the same for a reset.
        db.FloodBreaker.Add(
            new FloodRow
            {
                Scope = "noisy",
                State = FloodState.Tripped,
                Since = clock.GetUtcNow(),
                Until = clock.GetUtcNow().AddHours(1),
                Reason = "Too many.",
            }
        );
        await db.SaveChangesAsync();
        await FiringAsync(1);
        await db.FloodBreaker.ExecuteUpdateAsync(set => set.SetProperty(row => row.State, FloodState.Closed));
        await FiringAsync(0);

        Task FiringAsync(int count) =>
            clock.AdvanceUntilAsync(
                TimeSpan.FromSeconds(5),
                async () => (await driver.AlertsAsync()).Count(alert => alert is { Name: FloodBreaker.AlertName, IsFiring: true }) == count,
                $"{count} alert(s) of the breaker fire"
            );
    }

    [Fact]
    public async Task All_filing_over_the_budget_is_paused_then_half_open_then_closed_by_a_person_with_a_reason()
    {
        var clock = new StillClock();
        await using var driver = await AlertDriver.StartAsync(settings: Small, clock: clock);
        var breaker = driver.Console.Get<FloodBreaker>();
        Assert.Equal(FloodResetResult.NotTripped, await breaker.ResetAsync("", "somebody", "nothing yet", false, default));
        await driver.RaiseAsync([.. Enumerable.Range(0, 12).Select(n => AlertDriver.Say($"storm{n}", source: $"source{n}"))]);
        await driver.EventuallyTicketsAsync(5);
        Assert.Equal(FloodState.Tripped, (await breaker.ReadAsync(default))!.Single().State);

        // A quarter of the budget (here one ticket) is available after the window, and not before.
        clock.Advance(TimeSpan.FromMinutes(4.9));
        await driver.RaiseAsync(AlertDriver.Say("late", source: "late"));
        await driver.EventuallyDecidedAsync("breaker tripped");
        Assert.Equal(5, driver.FreeScout.CreatedCount);
        clock.Advance(TimeSpan.FromMinutes(0.2));
        await driver.EventuallyTicketsAsync(6);
        await Eventually.TrueAsync(
            async () => (await breaker.ReadAsync(default))!.Single().State == FloodState.Tripped,
            "the other alerts trip the breaker again"
        );

        Assert.Equal(FloodResetResult.ReasonMissing, await breaker.ResetAsync("", "somebody", " ", false, default));
        Assert.Equal(FloodResetResult.Done, await breaker.ResetAsync("", "somebody", "fixed the producer", false, default));
        await driver.EventuallyTicketsAsync(10);
        await using var db = driver.Database.Open();
        // The other alerts trip the breaker once more while the last one is filed.
        await Eventually.TrueAsync(
            async () =>
                (
                    await db
                        .AuditLog.Where(e => e.Action == AuditActions.FloodTripped || e.Action == AuditActions.FloodReset)
                        .OrderBy(e => e.Id)
                        .Select(e => e.Actor)
                        .ToListAsync()
                ).SequenceEqual(["breaker", "breaker", "somebody", "breaker"]),
            "each change is audited"
        );
    }

    [Fact]
    public async Task A_reset_is_refused_while_a_producer_is_unstable_unless_it_is_overridden()
    {
        await using var driver = await AlertDriver.StartAsync(settings: Small);
        foreach (var id in new[] { "a", "b", "c" })
        {
            await driver.RaiseAsync(AlertDriver.Say(id: id, source: "noisy"));
        }

        await driver.RaiseAsync([.. Enumerable.Range(0, 10).Select(n => AlertDriver.Say($"noise{n}", source: "noisy"))]);
        await driver.EventuallyDecidedAsync("breaker tripped");
        var breaker = driver.Console.Get<FloodBreaker>();
        Assert.Equal(FloodResetResult.ProducerStillUnstable, await breaker.ResetAsync("noisy", "somebody", "why not", false, default));
        Assert.Equal(FloodResetResult.Done, await breaker.ResetAsync("noisy", "somebody", "I know", true, default));
    }

    [Fact]
    public async Task The_breaker_can_be_read_and_reset_over_http()
    {
        await using var driver = await AlertDriver.StartAsync(settings: Small);
        foreach (var id in new[] { "a", "b", "c" })
        {
            await driver.RaiseAsync(AlertDriver.Say(id: id, source: "noisy"));
        }

        await driver.RaiseAsync([.. Enumerable.Range(0, 10).Select(n => AlertDriver.Say($"noise{n}", source: "noisy"))]);
        await driver.EventuallyDecidedAsync("breaker tripped");
        var http = driver.Console.Http;
        var flood = (await http.GetFromJsonAsync<JsonElement>("/api/flood")).GetProperty("flood");
        Assert.Equal("noisy", flood[0].GetProperty("scope").GetString());
        Assert.Equal("tripped", flood[0].GetProperty("state").GetString());
        Assert.Contains("Too many alerts from noisy (3 tickets in", flood[0].GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.True(flood[0].GetProperty("until").GetDateTimeOffset() > flood[0].GetProperty("since").GetDateTimeOffset());

        Assert.Equal(HttpStatusCode.BadRequest, await ResetAsync(new { reason = "no scope" }));
        Assert.Equal(HttpStatusCode.BadRequest, await ResetAsync(new { scope = "noisy", reason = " " }));
        Assert.Equal(HttpStatusCode.Conflict, await ResetAsync(new { scope = "noisy", reason = "too early" }));
        Assert.Equal(
            HttpStatusCode.OK,
            await ResetAsync(
                new
                {
                    scope = "noisy",
                    reason = "I know",
                    @override = true,
                }
            )
        );
        Assert.Equal(HttpStatusCode.Conflict, await ResetAsync(new { scope = "other", reason = "not tripped" }));

        async Task<HttpStatusCode> ResetAsync(object body)
        {
            using var answer = await http.PostAsJsonAsync("/api/flood/reset", body);
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task The_most_severe_alerts_are_filed_first()
    {
        await using var driver = await AlertDriver.StartAsync(settings: Small);
        await driver.RaiseAsync([
            .. Enumerable
                .Range(0, 9)
                .Select(n => AlertDriver.Say($"p{(n < 6 ? 2 : 1)}-{n}", n < 6 ? Severity.P2 : Severity.P1, source: "noisy")),
        ]);
        await driver.EventuallyTicketsAsync(4);
        Assert.Equal(3, driver.FreeScout.Conversations.Count(c => c.Subject.StartsWith("[P1] p1", StringComparison.Ordinal)));
    }
}
