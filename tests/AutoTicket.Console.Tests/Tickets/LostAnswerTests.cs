using System.Text.Json;
using AutoTicket.FreeScout;
using AutoTicket.Sandbox;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Tickets;

/// <summary>An answer of FreeScout is lost, and it may have created the ticket. There is exactly one ticket in the end.</summary>
public sealed class LostAnswerTests
{
    /// <summary>Calls end early, so that after a call that hangs a click has time for a look-up.</summary>
    private static readonly Dictionary<string, string?> ShortCalls = new() { ["FreeScout:CallTimeout"] = "00:00:00.5" };

    private readonly StillClock _clock = new();

    [Theory]
    [Trait("Pitfall", "T-12")]
    [InlineData(FaultKind.StatusAfter)]
    [InlineData(FaultKind.HangAfter)]
    [InlineData(FaultKind.ResetAfter)]
    [InlineData(FaultKind.CloseAfter)]
    [InlineData(FaultKind.BlankOk)]
    [InlineData(FaultKind.NoId)]
    [InlineData(FaultKind.TornJson)]
    [InlineData(FaultKind.WrongJson)]
    [InlineData(FaultKind.HugeBody)]
    public async Task A_ticket_whose_answer_was_lost_is_found_by_its_marker_and_adopted(FaultKind kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: ShortCalls);
        driver.Sandbox.Faults.Add(new Fault(kind) { Match = FaultMatch.FreeScoutCreate, Times = 1 });

        var first = await driver.ClickUntilThereIsATicketAsync();
        var second = await driver.ClickUntilThereIsATicketAsync();

        Assert.Equal(("already_open", first.Ticket!.Id), (second.Disposition, second.Ticket!.Id));
        Assert.Single(driver.Creates);
        await AssertAdoptedAsync(driver);
    }

    [Fact]
    [Trait("Pitfall", "T-12")]
    public async Task A_ticket_whose_answer_a_firewall_blocked_is_adopted_and_not_filed_again()
    {
        await using var driver = await InvestigateDriver.StartAsync();
        driver.Sandbox.Faults.Add(
            new Fault(FaultKind.StatusAfter)
            {
                Match = FaultMatch.FreeScoutCreate,
                StatusCode = 403,
                Body = "<html><head><title>Forbidden</title></head></html>",
            }
        );

        await driver.ClickUntilThereIsATicketAsync();

        Assert.Single(driver.Creates);
        await AssertAdoptedAsync(driver);
    }

    [Fact]
    [Trait("Pitfall", "T-12")]
    public async Task A_ticket_that_FreeScout_commits_late_is_adopted_then()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: ShortCalls);
        using var late = driver.Sandbox.Faults.Add(new Fault(FaultKind.LateCommit) { Match = FaultMatch.FreeScoutCreate, Times = 1 });

        var first = await driver.ClickAsync();
        Assert.True(first.Degraded, first.Message);
        Assert.Empty(await driver.FilingsAsync());
        late.Dispose();

        await driver.ClickUntilThereIsATicketAsync();
        Assert.Single(driver.Creates);
        await AssertAdoptedAsync(driver);
    }

    [Theory, BothDatabases]
    [Trait("Pitfall", "T-12")]
    public async Task A_lost_answer_is_found_without_another_click(Database kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(kind, clock: _clock);
        await driver.WaitForFirstSyncAsync();
        driver.Sandbox.Faults.Add(new Fault(FaultKind.StatusAfter) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        var unreadable = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutList, StatusCode = 503 });
        Assert.True((await driver.ClickAsync()).Degraded);
        unreadable.Dispose();

        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(30),
            async () => (await driver.RowsAsync()).Single().State == TicketState.Open,
            "the reconciler adopts it"
        );

        await AssertAdoptedAsync(driver);
        Assert.Single(driver.Creates);
    }

    /// <summary>Each try writes the ticket's row, and that change wakes the loop that tries.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_lost_answer_is_not_looked_up_in_a_loop_while_FreeScout_pauses_or_refuses(bool pauses)
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        await driver.WaitForFirstSyncAsync();
        driver.Sandbox.Faults.Add(new Fault(FaultKind.StatusAfter) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutList, StatusCode = 406 });
        Assert.True((await driver.ClickAsync()).Degraded);
        if (pauses)
        {
            driver.Console.Get<FreeScoutHealth>().Hold(_clock.GetUtcNow().AddSeconds(50));
        }

        var before = await AttemptAsync();
        _clock.Advance(TimeSpan.FromSeconds(pauses ? 20 : 70));
        if (!pauses)
        {
            await Eventually.TrueAsync(async () => await AttemptAsync() > before, "it is looked up once");
        }

        // In a loop there would be three or four look-ups a second.
        await Task.Delay(TimeSpan.FromSeconds(2));
        Assert.InRange(await AttemptAsync(), before, before + (pauses ? 0 : 2));

        async Task<int> AttemptAsync() => (await driver.RowsAsync()).Single().Attempt;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Trait("Pitfall", "T-12")]
    public async Task A_ticket_that_FreeScout_made_without_its_text_is_given_its_text_when_it_is_adopted(bool clicks)
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        driver.Sandbox.Faults.Add(new Fault(FaultKind.KilledMidway) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        Assert.True((await driver.ClickAsync()).Degraded, "FreeScout may still add the text");
        Assert.Equal(0, driver.FreeScout.Conversations.Single().ThreadsCount);

        if (clicks)
        {
            await driver.ClickUntilThereIsATicketAsync(TimeSpan.FromSeconds(5));
        }
        else
        {
            await _clock.AdvanceUntilAsync(
                TimeSpan.FromSeconds(5),
                async () => (await driver.RowsAsync()).Single().State == TicketState.Open,
                "the reconciler adopts it"
            );
        }

        await AssertAdoptedAsync(driver);
        var body = Assert.Single(driver.FreeScout.Conversations.Single().Threads, thread => thread.Type == "customer").Body;
        Assert.Contains((await driver.RowsAsync()).Single().Marker, body, StringComparison.Ordinal);
        Assert.Contains("Surface pay", body, StringComparison.Ordinal);
        Assert.Empty(driver.FreeScout.Mails);
    }

    [Fact]
    public async Task A_ticket_whose_text_FreeScout_never_takes_is_adopted_without_it_after_the_grace_period()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        driver.Sandbox.Faults.Add(new Fault(FaultKind.KilledMidway) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        var text = driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Status)
            {
                Match = new FaultMatch("POST", FreeScoutStandIn.ApiPath + "/conversations/*/threads"),
                StatusCode = 500,
            }
        );
        Assert.True((await driver.ClickAsync()).Degraded);
        var from = _clock.GetUtcNow();

        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(2),
            async () => (await driver.RowsAsync()).Single().State == TicketState.Open,
            "it is adopted",
            TimeSpan.FromMilliseconds(300)
        );

        Assert.InRange(_clock.GetUtcNow() - from, new TicketingOptions().Grace, 3 * new TicketingOptions().Grace);
        Assert.InRange(text.Hits, 1, 30);
        await AssertAdoptedAsync(driver);
    }

    [Fact]
    public async Task A_lost_answer_whose_ticket_the_console_knows_by_another_row_frees_its_key()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        await driver.WaitForFirstSyncAsync();
        driver.Sandbox.Faults.Add(new Fault(FaultKind.StatusAfter) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        var unreadable = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutList, StatusCode = 503 });
        Assert.True((await driver.ClickAsync()).Degraded);
        var made = driver.FreeScout.Conversations.Single().Id;
        await using (var db = driver.Database.Open())
        {
            // As the comparison adopts it, when an agent tagged it and changed its subject.
            db.Tickets.Add(
                (await driver.RowsAsync()).Single() with
                {
                    Id = 0,
                    Marker = "",
                    State = TicketState.Open,
                    ConversationId = made,
                    ConfirmedAt = _clock.GetUtcNow(),
                    Problem = null,
                }
            );
            await db.SaveChangesAsync();
        }

        unreadable.Dispose();

        var click = await driver.ClickUntilThereIsATicketAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(("already_open", made), (click.Disposition, click.Ticket!.Id));
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(5),
            async () => (await driver.RowsAsync()).All(row => row.State == TicketState.Open),
            "nothing is left to look up"
        );
        Assert.Single(driver.Creates);
    }

    [Fact]
    public async Task An_empty_ticket_that_somebody_closed_is_not_opened_again_by_its_text()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        driver.Sandbox.Faults.Add(new Fault(FaultKind.KilledMidway) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        Assert.True((await driver.ClickAsync()).Degraded);
        var empty = driver.FreeScout.Conversations.Single().Id;
        driver.FreeScout.Close(empty);

        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(5),
            async () => (await driver.RowsAsync()).Single().State == TicketState.Closed,
            "the reconciler adopts it"
        );

        Assert.False(driver.FreeScout.Find(empty)!.IsOpen);
        Assert.Equal(0, driver.FreeScout.Find(empty)!.ThreadsCount);
    }

    [Fact]
    [Trait("Pitfall", "T-12")]
    public async Task A_lagging_look_up_causes_no_second_ticket()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        driver.Sandbox.Faults.Add(new Fault(FaultKind.StatusAfter) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        var stale = driver.Sandbox.Faults.Add(Fault.EmptyLists());
        for (var second = 0; second <= 40; second += 8)
        {
            Assert.True((await driver.ClickAsync()).Degraded, "inside the grace period nothing is certain");
            _clock.Advance(TimeSpan.FromSeconds(8));
        }

        stale.Dispose();
        var found = await driver.ClickAsync();

        Assert.Equal(driver.FreeScout.Conversations.Single().Id, found.Ticket!.Id);
        Assert.Single(driver.Creates);
        await AssertAdoptedAsync(driver);
    }

    [Fact]
    [Trait("Pitfall", "T-12")]
    public async Task A_filing_is_posted_again_with_the_same_marker_after_two_spaced_empty_look_ups_and_the_grace_period()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        Assert.True((await driver.ClickAsync()).Degraded);
        _clock.Advance(TimeSpan.FromSeconds(119.9));
        Assert.True((await driver.ClickAsync()).Degraded, "the grace period is not over");
        Assert.Single(driver.Creates);

        var filed = await driver.ClickUntilThereIsATicketAsync(TimeSpan.FromSeconds(5));

        Assert.Equal("filed", filed.Disposition);
        Assert.Equal(2, driver.Creates.Count);
        // Compare only the marker, because the surface may have become stale between the posts.
        Assert.Single(driver.Creates.Select(create => Subject(create).Split(' ')[^1]).Distinct());
        Assert.False((await driver.AssertOneTicketAsync()).GetProperty("adopted").GetBoolean());
    }

    [Theory, BothDatabases]
    [Trait("Pitfall", "T-12")]
    public async Task A_filing_is_not_posted_again_once_the_ticket_before_it_is_reopened(Database kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(kind, clock: _clock);
        var old = (await driver.ClickAsync()).Ticket!.Id;
        driver.FreeScout.Close(old);
        _clock.Advance(TimeSpan.FromSeconds(1));
        driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        Assert.True((await driver.ClickAsync()).Degraded);
        driver.FreeScout.Reopen(old);

        var click = await driver.ClickUntilThereIsATicketAsync(TimeSpan.FromSeconds(5));

        Assert.Equal(("already_open", old, 1), (click.Disposition, click.Ticket!.Id, driver.FreeScout.CreatedCount));
    }

    [Fact]
    public async Task Two_look_ups_in_quick_succession_prove_nothing()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            clock: _clock,
            settings: new Dictionary<string, string?> { ["Ticketing:LookupSpacing"] = "00:05:00" }
        );
        driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        Assert.True((await driver.ClickAsync()).Degraded);

        _clock.Advance(TimeSpan.FromMinutes(4));
        Assert.True((await driver.ClickAsync()).Degraded);
        Assert.Single(driver.Creates);
        _clock.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal("filed", (await driver.ClickAsync()).Disposition);
        Assert.Equal(2, driver.Creates.Count);
    }

    /// <summary>Other tickets wake the sweep. The click has just looked up the lost answer.</summary>
    [Fact]
    public async Task The_sweep_looks_a_lost_answer_up_when_it_is_due_and_not_whenever_it_is_woken()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock, surfaces: ["pay", "shop"]);
        driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        Assert.True((await driver.ClickAsync("pay")).Degraded);
        // Usually the click's own one. If the sweep takes the claim over first, both look it up.
        var before = LookUps();

        Assert.Equal("filed", (await driver.ClickAsync("shop")).Disposition);
        await Eventually.TrueAsync(
            async () => (await driver.RowsAsync()).Single(row => row.SurfaceKey == "shop") is { TagsPending: false },
            "the sweep has tagged the other ticket"
        );
        Assert.Equal(before, LookUps());

        await _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(5), () => Task.FromResult(LookUps() > before), "the look-up is due");

        int LookUps() => driver.Lists.Count(request => request.PathAndQuery.Contains("subject=at-", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Once_the_reconciler_is_certain_that_there_is_none_the_next_click_files_without_waiting()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        Assert.True((await driver.ClickAsync()).Degraded);
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(20),
            async () =>
                (await driver.RowsAsync()).Single() is { State: TicketState.Unconfirmed } row
                && row.LookedUpAt - row.PostedAt > new TicketingOptions().Grace,
            "the last look-up came after the grace period"
        );

        Assert.Equal("filed", (await driver.ClickAsync()).Disposition);
        await driver.AssertOneTicketAsync();
    }

    [Fact]
    [Trait("Pitfall", "T-12")]
    public async Task A_refused_second_post_is_still_looked_up_because_FreeScout_may_commit_the_first_one()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        Assert.True((await driver.ClickAsync()).Degraded);
        driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Status)
            {
                Match = FaultMatch.FreeScoutCreate,
                StatusCode = 422,
                Body = """{"message":"Error occurred"}""",
            }
        );

        for (var click = 0; driver.Creates.Count < 2; click++)
        {
            Assert.InRange(click, 0, 100);
            _clock.Advance(TimeSpan.FromSeconds(5));
            Assert.True((await driver.ClickAsync()).Degraded);
        }

        await Eventually.TrueAsync(
            async () => (await driver.RowsAsync()).Single() is { State: TicketState.Unconfirmed, RepostedAt: not null },
            "the row stays"
        );
    }

    [Fact]
    public async Task A_ticket_that_somebody_closed_before_it_was_found_is_adopted_as_closed_and_followed_by_a_fresh_one()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        await driver.WaitForFirstSyncAsync();
        driver.Sandbox.Faults.Add(new Fault(FaultKind.StatusAfter) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        var unreadable = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutList, StatusCode = 503 });
        Assert.True((await driver.ClickAsync()).Degraded);
        driver.FreeScout.Close(driver.FreeScout.Conversations.Single().Id);
        unreadable.Dispose();

        var fresh = await driver.ClickUntilThereIsATicketAsync(TimeSpan.FromSeconds(5));

        Assert.Equal("filed", fresh.Disposition);
        Assert.Equal(
            [false, true],
            driver.FreeScout.Conversations.OrderBy(conversation => conversation.Id).Select(conversation => conversation.IsOpen)
        );
        Assert.Equal([true, false], (await driver.FilingsAsync()).Select(filing => filing.GetProperty("adopted").GetBoolean()));
    }

    [Theory]
    [Trait("Pitfall", "T-13")]
    [InlineData(FaultKind.Status, 400)]
    [InlineData(FaultKind.Status, 413)]
    [InlineData(FaultKind.Status, 422)]
    [InlineData(FaultKind.Unauthorized, null)]
    [InlineData(FaultKind.Forbidden, null)]
    [InlineData(FaultKind.ModuleOffHtml, null)]
    public async Task After_a_definite_refusal_the_next_click_files(FaultKind kind, int? status)
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        var refusal = driver.Sandbox.Faults.Add(
            new Fault(kind)
            {
                Match = FaultMatch.FreeScoutCreate,
                StatusCode = status,
                Body = status is null ? null : """{"message":"Error occurred"}""",
            }
        );

        Assert.True((await driver.ClickAsync()).Degraded);
        Assert.Empty(await driver.RowsAsync());
        Assert.Empty(await driver.FilingsAsync());
        refusal.Dispose();

        Assert.Equal("filed", (await driver.ClickAsync()).Disposition);
        await driver.AssertOneTicketAsync();
    }

    [Fact]
    [Trait("Pitfall", "T-13")]
    public async Task After_an_hour_of_refusals_there_is_one_ticket_and_one_audit_row()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        using (driver.Sandbox.Faults.Add(new Fault(FaultKind.Forbidden) { Match = FaultMatch.FreeScoutCreate }))
        {
            for (var minute = 0; minute < 60; minute += 5)
            {
                Assert.True((await driver.ClickAsync()).Degraded);
                _clock.Advance(TimeSpan.FromMinutes(5));
            }
        }

        Assert.Equal("filed", (await driver.ClickAsync()).Disposition);
        await driver.AssertOneTicketAsync();
    }

    /// <summary>Simulates a process that is frozen between claim and post, so that no timer fires.</summary>
    [Fact]
    [Trait("Pitfall", "T-12")]
    public async Task A_filing_whose_claim_expired_before_the_post_posts_nothing()
    {
        var asleep = true;
        await using var driver = await InvestigateDriver.StartAsync(
            clock: _clock,
            services: services =>
                services
                    .AddHttpClient(FreeScoutClient.HttpName)
                    .AddHttpMessageHandler(() =>
                        new Sleep(request =>
                        {
                            if (request.Method == HttpMethod.Post && asleep)
                            {
                                _clock.AdjustTime(_clock.GetUtcNow() + new TicketingOptions().Lease);
                            }
                        })
                    )
        );
        // Calls that are under way when the clock jumps would time out and open the circuit.
        await driver.WaitForFirstSyncAsync();

        Assert.True((await driver.ClickAsync()).Degraded);
        Assert.Empty(driver.Creates);
        asleep = false;

        await driver.ClickUntilThereIsATicketAsync(TimeSpan.FromSeconds(5));
        await driver.AssertOneTicketAsync();
    }

    private sealed class Sleep(Action<HttpRequestMessage> before) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            before(request);
            return base.SendAsync(request, cancellationToken);
        }
    }

    private static async Task AssertAdoptedAsync(InvestigateDriver driver)
    {
        var filing = await driver.AssertOneTicketAsync();
        Assert.True(filing.GetProperty("adopted").GetBoolean());
        Assert.Equal(TicketState.Open, (await driver.RowsAsync()).Single().State);
    }

    private static string Subject(RecordedRequest create) =>
        JsonSerializer.Deserialize<JsonElement>(create.Body).GetProperty("subject").GetString()!;
}
