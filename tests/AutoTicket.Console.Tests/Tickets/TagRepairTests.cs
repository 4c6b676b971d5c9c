using AutoTicket.Sandbox;
using AutoTicket.Tickets;

namespace AutoTicket.Tests.Tickets;

/// <summary>Tags need a second call, which may fail. Then the ticket exists and gets its tags later.</summary>
public sealed class TagRepairTests
{
    private static readonly string[] Ours = ["auto:status", "sev:p2", "surface:pay"];
    private readonly StillClock _clock = new();

    [Theory]
    [Trait("Pitfall", "T-10")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_ticket_that_could_not_be_tagged_gets_its_tags_later(bool moduleIsOff)
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        driver.FreeScout.Behavior.TagsModule = !moduleIsOff;
        using var fault = moduleIsOff
            ? null
            : driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutTags, StatusCode = 503 });

        var filed = await driver.ClickAsync();
        await Eventually.TrueAsync(
            () =>
                driver.Console.Log.Any(line =>
                    line.StartsWith("WARNING", StringComparison.Ordinal) && line.Contains("ticket tagging failed", StringComparison.Ordinal)
                ),
            "the failure is logged"
        );
        Assert.Equal("filed", filed.Disposition);
        Assert.Equal(
            ("already_open", filed.Ticket!.Id),
            ((await driver.ClickAsync()) is var again ? again.Disposition : "", again.Ticket!.Id)
        );
        Assert.Equal([filed.Ticket.Id], await driver.ListedAsync());

        driver.FreeScout.Behavior.TagsModule = true;
        fault?.Dispose();
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(30),
            () => Task.FromResult(TagsOf(driver).SequenceEqual(Ours)),
            "the tags are set"
        );

        await driver.AssertOneTicketAsync();
        await Eventually.TrueAsync(
            async () => !(await driver.RowsAsync()).Single().TagsPending,
            "the console records that the tags are set"
        );
    }

    [Fact]
    public async Task Without_the_tags_module_tagging_is_tried_rarely_and_logged_once()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock, surfaces: []);
        driver.FreeScout.Behavior.TagsModule = false;
        for (var number = 0; number < 6; number++)
        {
            await ReconciliationTest.FileAsync(driver, $"alert-{number}", TicketTags.Alert);
        }

        // Half an hour in short steps. A loop without a pause would retry at each step.
        var minutes = 0;
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromMinutes(1),
            () => Task.FromResult(++minutes >= 30 && Tries() > 0),
            "half an hour has passed",
            TimeSpan.FromMilliseconds(100)
        );
        Assert.InRange(Tries(), 1, 6 + (3 * 3));
        await Eventually.TrueAsync(() => driver.Console.Log.Any(IsFailure), "the failure is logged");
        Assert.Single(driver.Console.Log, IsFailure);

        driver.FreeScout.Behavior.TagsModule = true;
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromMinutes(1),
            async () => (await driver.RowsAsync()).All(row => !row.TagsPending),
            "all tickets are tagged"
        );

        int Tries() =>
            driver.FreeScout.RecordedRequests.Count(request =>
                request.Method == "PUT" && request.Path.EndsWith("/tags", StringComparison.Ordinal)
            );

        static bool IsFailure(string line) => line.Contains("ticket tagging failed", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tickets_whose_tags_are_refused_hide_no_other_whether_newer_or_older()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            clock: _clock,
            surfaces: [],
            settings: new Dictionary<string, string?> { ["Ticketing:ReconcileInterval"] = "01:00:00" }
        );
        await driver.WaitForFirstSyncAsync();
        await ReconciliationTest.FileAsync(driver, "one", TicketTags.Alert);
        await Eventually.TrueAsync(async () => (await driver.RowsAsync()).All(row => !row.TagsPending), "it is tagged");
        var refused = Enumerable
            .Range(1_000_001, 3)
            .Select(id =>
                driver.Sandbox.Faults.Add(
                    new Fault(FaultKind.Forbidden)
                    {
                        Match = InvestigateDriver.OneConversation with { Path = $"{FreeScoutStandIn.ApiPath}/conversations/{id}" },
                    }
                )
            )
            .ToList();
        await using (var db = driver.Database.Open())
        {
            var row = (await driver.RowsAsync()).Single();
            db.Tickets.AddRange(
                Enumerable
                    .Range(1, 110)
                    .Select(n =>
                        row with
                        {
                            Id = 0,
                            ConversationId = 1_000_000 + n,
                            Marker = $"old-{n}",
                            DedupKey = $"old-{n}",
                            TagsPending = true,
                        }
                    )
            );
            await db.SaveChangesAsync();
        }

        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(2),
            () => Task.FromResult(refused.All(one => one.Hits > 0)),
            "three are refused"
        );
        var refusedAt = _clock.GetUtcNow();
        var newer = await ReconciliationTest.FileAsync(driver, "newer", TicketTags.Alert);
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(2),
            () => Task.FromResult(driver.FreeScout.Find(newer)!.Tags.Contains("auto:alert")),
            "a newer one is tagged"
        );
        Assert.InRange(_clock.GetUtcNow() - refusedAt, TimeSpan.Zero, TimeSpan.FromMinutes(5));

        await _clock.AdvanceUntilAsync(
            TimeSpan.FromMinutes(2),
            async () => (await driver.RowsAsync()).Count(row => row.TagsPending) == 3,
            "those between them are done"
        );
    }

    [Fact]
    public async Task A_clock_that_is_set_back_by_an_hour_delays_neither_tags_nor_the_comparison()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        await driver.WaitForFirstSyncAsync();
        var fault = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutTags, StatusCode = 503 });
        await driver.ClickAsync();
        await _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(2), () => Task.FromResult(fault.Hits > 1), "tagging fails");
        fault.Dispose();
        var compared = driver.Comparisons.Count;
        var from = _clock.GetTimestamp();
        _clock.SetBack(TimeSpan.FromHours(1));

        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(5),
            () => Task.FromResult(TagsOf(driver).SequenceEqual(Ours) && driver.Comparisons.Count > compared),
            "the tags are set, and it is compared"
        );

        Assert.InRange(_clock.GetElapsedTime(from), TimeSpan.Zero, TimeSpan.FromMinutes(5));
    }

    [Fact]
    public async Task A_refused_ticket_does_not_end_the_pause_of_an_outage_for_others()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock, surfaces: ["one", "two"]);
        var all = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutTags, StatusCode = 503 });
        var (one, two) = (await driver.ClickAsync("one"), await driver.ClickAsync("two"));
        await Eventually.TrueAsync(() => all.Hits > 0, "tagging fails");
        all.Dispose();
        driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = TagsOfOne(one), StatusCode = 422 });
        var down = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = TagsOfOne(two), StatusCode = 503 });
        await _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(5), () => Task.FromResult(down.Hits > 0), "the other is tried");

        // Two minutes in short steps. A loop without a pause would retry at each step.
        var before = down.Hits;
        var until = _clock.GetUtcNow().AddMinutes(2);
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(3),
            () => Task.FromResult(_clock.GetUtcNow() >= until),
            "two minutes have passed",
            TimeSpan.FromMilliseconds(350)
        );
        Assert.InRange(down.Hits - before, 0, 12);

        static FaultMatch TagsOfOne(Click click) =>
            new("PUT", $"{FreeScoutStandIn.ApiPath}/conversations/{click.Ticket!.Id}/tags", Whole: true);
    }

    [Fact]
    public async Task A_ticket_that_was_not_tagged_because_the_key_lacked_its_scope_is_tagged_when_the_key_has_it()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        var fault = driver.Sandbox.Faults.Add(new Fault(FaultKind.Forbidden) { Match = FaultMatch.FreeScoutTags });
        await driver.ClickAsync();
        await Eventually.TrueAsync(() => fault.Hits > 0, "tagging was refused");
        driver.Sandbox.Faults.Add(new Fault(FaultKind.Forbidden) { Match = FaultMatch.FreeScout });
        var health = driver.Console.Get<AutoTicket.FreeScout.FreeScoutHealth>();
        await _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(10), () => Task.FromResult(health.Failure is not null), "the sync is refused");

        driver.Sandbox.Faults.Clear();
        var repaired = _clock.GetUtcNow();
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(10),
            () => Task.FromResult(TagsOf(driver).SequenceEqual(Ours)),
            "the tags are set"
        );

        Assert.InRange(_clock.GetUtcNow() - repaired, TimeSpan.Zero, TimeSpan.FromMinutes(8));
    }

    [Fact]
    [Trait("Pitfall", "T-10")]
    public async Task A_ticket_that_was_closed_before_it_was_tagged_is_found_when_it_is_reopened()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        var fault = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutTags, StatusCode = 503 });
        var ticket = (await driver.ClickAsync()).Ticket!;
        driver.FreeScout.Close(ticket.Id);
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(30),
            async () => (await driver.RowsAsync()).Single().State == TicketState.Closed,
            "the sync sees it closed"
        );
        fault.Dispose();
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(30),
            () => Task.FromResult(TagsOf(driver).SequenceEqual(Ours)),
            "the tags are set"
        );

        driver.FreeScout.Reopen(ticket.Id);

        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(30),
            async () => (await driver.ListedAsync()).SequenceEqual([ticket.Id]),
            "the ticket is shown again"
        );
    }

    [Fact]
    [Trait("Pitfall", "T-42")]
    public async Task Tags_of_agents_are_kept_when_the_console_adds_its_own()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        var fault = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutTags, StatusCode = 503 });
        var ticket = (await driver.ClickAsync()).Ticket!;
        await Eventually.TrueAsync(() => fault.Hits > 0, "the tagging failed");
        driver.FreeScout.SetTags(ticket.Id, "vip", "Auto:Status");
        fault.Dispose();

        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(30),
            () => Task.FromResult(TagsOf(driver).Contains("surface:pay")),
            "the tags are set"
        );

        Assert.Equal(["Auto:Status", "sev:p2", "surface:pay", "vip"], TagsOf(driver));
    }

    [Fact]
    [Trait("Pitfall", "T-42")]
    public async Task Tags_that_an_agent_removes_later_stay_removed()
    {
        await using var driver = await InvestigateDriver.StartAsync(clock: _clock);
        var ticket = (await driver.ClickAsync()).Ticket!;
        await Eventually.TrueAsync(async () => !(await driver.RowsAsync()).Single().TagsPending, "the tags are set");
        driver.FreeScout.SetTags(ticket.Id, "auto:status", "surface:pay");

        Assert.Equal("already_open", (await driver.ClickAsync()).Disposition);
        _clock.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal("already_open", (await driver.ClickAsync()).Disposition);

        Assert.Equal(["auto:status", "surface:pay"], TagsOf(driver));
        Assert.Single(driver.Requests("PUT", $"/conversations/{ticket.Id}/tags"));
    }

    private static IEnumerable<string> TagsOf(InvestigateDriver driver) =>
        driver.FreeScout.Conversations.Single().Tags.Order(StringComparer.Ordinal);
}
