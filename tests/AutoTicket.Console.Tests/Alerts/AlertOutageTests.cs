using AutoTicket.Alerts;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Alerts;

/// <summary>FreeScout is down, slow or loses a response: the alert waits, and gets one ticket in the end.</summary>
public sealed class AlertOutageTests
{
    /// <summary>Shortens the times of the protocol for lost answers.</summary>
    internal static readonly Dictionary<string, string?> Quick = new()
    {
        ["Ticketing:ClickBudget"] = "00:00:01",
        ["Ticketing:Lease"] = "00:00:04",
        ["Ticketing:Grace"] = "00:00:02",
        ["Ticketing:LookupSpacing"] = "00:00:00.2",
        ["FreeScout:CallTimeout"] = "00:00:00.8",
        ["FreeScout:BreakDuration"] = "00:00:00.5",
    };

    [Theory, BothDatabases, Trait("Pitfall", "T-5"), Trait("Pitfall", "T-13"), Trait("Pitfall", "T-32")]
    public async Task An_outage_over_many_cycles_is_one_line_with_a_count_and_one_ticket_after(Database kind)
    {
        await using var driver = await AlertDriver.StartAsync(kind, Quick);
        var fault = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 });
        await driver.RaiseAsync(AlertDriver.Say());
        // Each report wakes the hook, so that twenty attempts meet the outage.
        var emitter = driver.Console.Get<AlertEmitter>();
        for (var cycle = 0; cycle < 20; cycle++)
        {
            var before = emitter.CycledAt;
            await driver.RaiseAsync([AlertDriver.Say("nudge", firing: cycle % 2 == 0, severity: Severity.P4)]);
            await Eventually.TrueAsync(() => emitter.CycledAt > before, "a cycle passes");
        }
        Assert.InRange((await driver.DecisionsAsync()).Count(d => d.Path == "ticket"), 1, 4);
        Assert.Empty(driver.FreeScout.Conversations);

        fault.Dispose();
        await driver.EventuallyTicketsAsync(1);
        Assert.Equal(1, driver.FreeScout.CreatedCount);
        Assert.DoesNotContain(driver.Console.Log, line => line.StartsWith("ERROR", StringComparison.Ordinal));
        Assert.Contains(
            driver.Console.Log,
            line => line.StartsWith("WARNING", StringComparison.Ordinal) && line.Contains(" freescout degraded ", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task A_read_soon_after_the_outage_lets_every_alert_be_filed()
    {
        const int Several = 5;
        await using var driver = await AlertDriver.StartAsync(
            settings: new Dictionary<string, string?>(Quick) { ["Ticketing:SyncInterval"] = "01:00:00" }
        );
        await driver.Console.WaitForFlagsAsync();
        var fault = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 });
        await driver.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await driver.RaiseAsync([.. Enumerable.Range(0, Several).Select(n => AlertDriver.Say($"alert {n}"))]);
        await Eventually.TrueAsync(
            async () =>
                (await driver.DecisionsAsync()).Where(d => d.Path == "ticket").Select(d => d.AlertRow).Distinct().Count() == Several,
            "all wait"
        );
        var reads = Reads();
        await Eventually.TrueAsync(() => Reads() > reads + 2, "the console reads on, although the next sync is an hour away");
        Assert.InRange(driver.Creates.Count, 0, 1);

        fault.Dispose();

        await driver.EventuallyTicketsAsync(Several);
        int Reads() => driver.FreeScout.RecordedRequests.Count(request => request.Method == "GET");
    }

    [Fact]
    public async Task A_FreeScout_that_makes_each_ticket_and_answers_500_gets_each_alert_once_and_the_worst_first()
    {
        await using var driver = await AlertDriver.StartAsync(
            settings: new Dictionary<string, string?>(Quick)
            {
                ["Ticketing:FloodBudgetPerSource"] = "100",
                ["Ticketing:Grace"] = "00:02:00",
            }
        );
        await driver.Console.WaitForFlagsAsync();
        using var fault = driver.Sandbox.Faults.Add(new Fault(FaultKind.StatusAfter) { Match = FaultMatch.FreeScoutCreate });

        await driver.RaiseAsync([
            .. Enumerable.Range(0, 8).Select(n => AlertDriver.Say($"alert {n}", severity: n == 7 ? Severity.P1 : Severity.P2)),
        ]);

        await driver.EventuallyTicketsAsync(8);
        Assert.Equal(8, driver.Creates.Count);
        Assert.Contains("alert 7: ", driver.Creates[0], StringComparison.Ordinal);
    }

    /// <summary>The failures of the first calls open the circuit, and a retry that meets it must not hide that reads fail.</summary>
    [Fact]
    public async Task An_outage_that_a_create_meets_first_is_known_as_an_outage_of_reads_too()
    {
        var clock = new StillClock();
        await using var driver = await AlertDriver.StartAsync(
            settings: new Dictionary<string, string?> { ["Ticketing:SyncInterval"] = "01:00:00" },
            clock: clock
        );
        await driver.Console.WaitForFlagsAsync();
        var health = driver.Console.Get<FreeScoutHealth>();
        await Eventually.TrueAsync(() => health.WorkedAt is not null, "the first calls work");
        // So that the circuit has forgotten them.
        clock.Advance(TimeSpan.FromSeconds(20));
        var fault = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 });

        await driver.RaiseAsync([.. Enumerable.Range(0, 5).Select(n => AlertDriver.Say($"alert {n}"))]);

        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(1),
            () => Task.FromResult(health.ReadFailure is { Kind: FreeScoutFailureKind.ServerError }),
            "the console knows that reads fail"
        );
        fault.Dispose();
        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(1),
            () => Task.FromResult(driver.FreeScout.CreatedCount >= 4),
            "a read tells that FreeScout is back, and all alerts but the first are filed"
        );
    }

    /// <summary>The database can be read and not written, as on a full disk or with a locked table.</summary>
    [Fact]
    public async Task A_DM_that_could_not_be_recorded_is_recorded_later_and_not_sent_again()
    {
        await using var driver = await AlertDriver.StartAsync(Database.Postgres);
        await using var db = driver.Database.Open();
        // A sequence counts the tries, because it takes no part in transactions.
        await db.ExecuteTogetherAsync(
            [
                $"CREATE SEQUENCE tries",
                $"""
                CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
                  PERFORM nextval('tries');
                  RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
                END $f$
                """,
                $"""
                CREATE TRIGGER no_space BEFORE INSERT ON alert_deliveries FOR EACH ROW WHEN (NEW.hook = 'slack')
                EXECUTE FUNCTION no_space()
                """,
            ],
            default
        );
        await driver.RaiseAsync(AlertDriver.Say());
        await Eventually.TrueAsync(
            async () => await db.Database.SqlQuery<long>($"""SELECT last_value AS "Value" FROM tries""").SingleAsync() >= 3,
            "three passes could not record it"
        );
        await db.ExecuteAsync($"DROP TRIGGER no_space ON alert_deliveries", default);

        await driver.EventuallySettledAsync();
        Assert.Single(driver.Sandbox.Slack.Messages);
        Assert.Contains(await driver.DeliveriesAsync(), delivery => delivery.Hook == "slack");
    }

    [Fact]
    public async Task An_alert_that_ended_during_the_outage_gets_no_ticket_and_is_shown()
    {
        await using var driver = await AlertDriver.StartAsync();
        var fault = driver.Sandbox.Faults.Add(new Fault(FaultKind.ResetBefore) { Match = FaultMatch.FreeScout });
        await driver.RaiseAsync(AlertDriver.Say("over"));
        await Eventually.TrueAsync(
            async () => (await driver.DecisionsAsync()).Exists(d => d.Path == "ticket"),
            "a decision says why there is no ticket"
        );
        await driver.RaiseAsync(AlertDriver.Say("over", firing: false));
        await driver.RaiseAsync(AlertDriver.Say("stays"));
        fault.Dispose();
        await driver.EventuallyTicketsAsync(1);
        Assert.Contains("stays", driver.FreeScout.Conversations[0].Subject, StringComparison.Ordinal);
    }

    [Theory, InlineData(FaultKind.ResetAfter), InlineData(FaultKind.BlankOk), InlineData(FaultKind.HangAfter), Trait("Pitfall", "T-12")]
    public async Task A_lost_answer_is_looked_up_and_adopted(FaultKind kind)
    {
        await using var driver = await AlertDriver.StartAsync(settings: Quick);
        driver.Sandbox.Faults.Add(new Fault(kind) { Match = FaultMatch.FreeScoutCreate, Times = 1 });
        await driver.RaiseAsync(AlertDriver.Say());
        await driver.EventuallyTicketsAsync(1);
        await Eventually.TrueAsync(
            async () => (await driver.DeliveriesAsync()).Exists(d => d.TicketId == driver.FreeScout.Conversations[0].Id),
            "the alert is delivered"
        );
        Assert.Equal(1, driver.FreeScout.CreatedCount);
    }

    [Theory, BothDatabases, Trait("Pitfall", "T-22")]
    public async Task A_surface_has_one_ticket_whether_the_click_or_the_alert_came_first(Database kind)
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(kind);
        sandbox.Surface("pay").Answer(503);
        sandbox.Surface("shop").Answer(503);
        var settings = new Dictionary<string, string?>
        {
            ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
            ["Status:PollInterval"] = "00:00:00.3",
        };
        foreach (
            var (key, value) in ConsoleHost
                .SurfaceSettings(0, "pay", sandbox.Surface("pay").Url)
                .Concat(ConsoleHost.SurfaceSettings(1, "shop", sandbox.Surface("shop").Url))
        )
        {
            settings[key] = value;
        }

        await using var console = await ConsoleHost.StartAsync(database, sandbox, settings);
        await Eventually.TrueAsync(async () => (await ClickAsync("pay")).IsSuccessStatusCode, "the click on pay files a ticket");
        await Eventually.TrueAsync(() => sandbox.FreeScout.Conversations.Count == 2, "each has a ticket");
        await Eventually.TrueAsync(
            () => sandbox.FreeScout.Conversations.All(c => c.Tags.Contains("auto:status")),
            "both are on the dashboard"
        );
        Assert.True((await ClickAsync("shop")).IsSuccessStatusCode);
        Assert.Equal(2, sandbox.FreeScout.CreatedCount);

        // The surface recovers: its ticket gets a note and stays open.
        sandbox.Surface("shop").Answer(200);
        await Eventually.TrueAsync(
            () =>
                sandbox.FreeScout.Conversations.Any(c =>
                    c.Threads.Any(t => t.Type == "note" && t.Body.Contains("Recovered", StringComparison.Ordinal))
                ),
            "the recovery is noted"
        );
        Assert.True(sandbox.FreeScout.Conversations.All(c => c.Status == "active"));

        Task<HttpResponseMessage> ClickAsync(string surface) =>
            console.Http.PostAsync(new Uri($"/api/surfaces/{surface}/investigate", UriKind.Relative), null);
    }
}
