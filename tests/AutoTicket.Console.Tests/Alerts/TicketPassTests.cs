using System.Net.Http.Json;
using AutoTicket.Alerts;
using AutoTicket.FreeScout;
using AutoTicket.Sandbox;
using AutoTicket.Slack;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Diagnostics;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Alerts;

/// <summary>A pass of the ticket hook ends whatever fails, and the next pass continues.</summary>
public sealed class TicketPassTests
{
    private static readonly Dictionary<string, string?> NoBudget = new()
    {
        ["Ticketing:FloodBudget"] = "100000",
        ["Ticketing:FloodBudgetPerSource"] = "100000",
    };

    [Fact, Trait("Pitfall", "T-55")]
    public async Task A_mute_that_begins_during_a_pass_holds_the_alerts_that_have_no_ticket_yet()
    {
        // The surface's own outage, a P4, gets no ticket.
        var surface = ConsoleHost.SurfaceSettings(0, "pay", new("http://127.0.0.1:9/"), severity: "P4");
        await using var driver = await AlertDriver.StartAsync(
            settings: new Dictionary<string, string?>([.. NoBudget, .. surface]),
            clock: new StillClock()
        );
        await driver.Console.WaitForFlagsAsync();
        // The first create goes alone.
        driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Delay)
            {
                Match = FaultMatch.FreeScoutCreate,
                Delay = TimeSpan.Zero,
                Times = 1,
            }
        );
        var slow = driver.Sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate });
        var hook = HookOf(driver);
        var notices = Notices(1 + FreeScoutClient.MostAtOnce + 5)
            .ConvertAll(notice => notice with { Alert = notice.Alert with { Surface = "pay" } });
        var delivering = DeliverAsync();
        await Eventually.TrueAsync(
            () => driver.FreeScout.CreatesInFlight == FreeScoutClient.MostAtOnce,
            "FreeScout has as many creates as it gets at once"
        );

        using var begun = await driver.Console.Http.PostAsJsonAsync(
            new Uri("/api/surfaces/pay/maintenance", UriKind.Relative),
            new { @for = "1h", reason = "a new disk" }
        );
        begun.EnsureSuccessStatusCode();
        slow.Dispose();

        var outcomes = await delivering;
        Assert.Equal(1 + FreeScoutClient.MostAtOnce, driver.FreeScout.Conversations.Count);
        Assert.Equal(notices.Count, outcomes.Count);
        Assert.Equal(5, outcomes.Count(outcome => outcome is { IsDone: false } && outcome.Decision == DecisionWord.InMaintenance));

        async Task<List<HookOutcome>> DeliverAsync() =>
            await hook.DeliverAsync(notices, CancellationToken.None).SelectMany(some => some).ToListAsync();
    }

    /// <summary>A create that fails may still have made its ticket, and its alert waits until it is certain that it did not.</summary>
    [Fact]
    public async Task When_FreeScout_goes_down_one_alert_of_many_is_sent_to_it_and_during_the_outage_the_least_one_is_the_probe()
    {
        var clock = new StillClock();
        await using var driver = await AlertDriver.StartAsync(settings: NoBudget, clock: clock);
        await driver.Console.WaitForFlagsAsync();
        var hook = HookOf(driver);
        var notices = Notices(40);
        using var fault = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutCreate, StatusCode = 503 });

        // At the third time alert40 is being looked up, which would tell nothing about creates.
        foreach (var pause in (double[])[0, 2, 6])
        {
            clock.Advance(TimeSpan.FromSeconds(pause));
            var outcomes = await hook.DeliverAsync(notices, CancellationToken.None).SelectMany(some => some).ToListAsync();
            Assert.DoesNotContain(outcomes, outcome => outcome.IsDone);
        }

        Assert.Equal(3, driver.Creates.Count);
        Assert.Contains("[P2] alert1: ", driver.Creates[0], StringComparison.Ordinal);
        Assert.Contains("[P2] alert40: ", driver.Creates[1], StringComparison.Ordinal);
        Assert.Contains("[P2] alert39: ", driver.Creates[2], StringComparison.Ordinal);
    }

    /// <summary>Otherwise a FreeScout that commits each ticket, but answers too late, would get one alert in five seconds.</summary>
    [Fact]
    public async Task After_a_ticket_was_found_whose_create_seemed_to_fail_no_alert_goes_first()
    {
        await using var driver = await AlertDriver.StartAsync(settings: NoBudget, clock: new StillClock());
        await driver.Console.WaitForFlagsAsync();
        driver.Console.Get<FreeScoutHealth>().FoundCreated();
        using var slow = driver.Sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate });

        var delivering = HookOf(driver).DeliverAsync(Notices(5), CancellationToken.None).SelectMany(some => some).ToListAsync();

        await Eventually.TrueAsync(() => driver.FreeScout.CreatesInFlight == 5, "all are sent together");
        slow.Dispose();
        await delivering;
    }

    [Fact]
    public async Task While_notes_fail_one_at_a_time_is_tried_and_when_one_is_written_all_are()
    {
        var clock = new StillClock();
        await using var driver = await AlertDriver.StartAsync(
            settings: new Dictionary<string, string?>(NoBudget) { ["Ticketing:SyncInterval"] = "01:00:00" },
            clock: clock
        );
        await driver.Console.WaitForFlagsAsync();
        var ticket = driver.FreeScout.CreateByHand("Its alerts end", ["auto:alert"]);
        var ended = Notices(FreeScoutClient.MostAtOnce + 8)
            .ConvertAll(notice =>
                notice with
                {
                    Kind = NoticeKind.Ended,
                    Alert = notice.Alert with
                    {
                        Status = AlertStatus.Resolved,
                        EndedAt = DateTimeOffset.UnixEpoch.AddSeconds(notice.Alert.Id),
                    },
                    Ticket = new(ticket.Id, ticket.Number, "https://desk.example.org"),
                }
            );
        var fault = driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Status) { Match = new("POST", $"{FreeScoutStandIn.ApiPath}/conversations/*/threads") }
        );

        await DeliverAsync();
        Assert.InRange(Tries(), 1, FreeScoutClient.MostAtOnce);
        foreach (var (seconds, more) in new[] { (2, 0), (8, 1), (2, 0), (8, 1) })
        {
            var before = Tries();
            clock.Advance(TimeSpan.FromSeconds(seconds));
            await DeliverAsync();
            Assert.Equal(before + more, Tries());
        }

        fault.Dispose();
        var written = 0;
        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(10),
            async () => (written = Math.Max(written, await DeliverAsync())) == ended.Count,
            "one is written, and then all"
        );

        async Task<int> DeliverAsync() =>
            await HookOf(driver).DeliverAsync(ended, CancellationToken.None).SelectMany(some => some).CountAsync(outcome => outcome.IsDone);

        int Tries() => driver.FreeScout.RecordedRequests.Count(request => request.Method == "POST");
    }

    /// <summary>A note needs no create, so it does not wait for one.</summary>
    [Fact]
    public async Task While_only_creates_fail_notes_are_written()
    {
        await using var driver = await AlertDriver.StartAsync(settings: NoBudget);
        await driver.RaiseAsync(AlertDriver.Say("old"));
        await driver.EventuallyTicketsAsync(1);
        using var fault = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScoutCreate });
        await driver.RaiseAsync(AlertDriver.Say("new"));
        await Eventually.TrueAsync(() => driver.Console.Get<FreeScoutHealth>().Failure is not null, "creates fail");

        await driver.RaiseAsync(AlertDriver.Say("old", firing: false));

        await Eventually.TrueAsync(
            () => driver.FreeScout.Conversations[0].Threads.Count > 1,
            "the note that the old alert has ended is written"
        );
    }

    [Fact]
    public async Task An_abandoned_pass_finishes_its_creates_and_the_next_passes_file_the_rest_once()
    {
        await using var driver = await AlertDriver.StartAsync(settings: NoBudget);
        using var slow = driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate, Delay = TimeSpan.FromMilliseconds(200) }
        );
        var hook = HookOf(driver);
        var left = Notices(90).ToDictionary(notice => notice.Alert.Id);

        while (left.Count > 0)
        {
            var before = left.Count;
            await foreach (var outcomes in hook.DeliverAsync([.. left.Values], CancellationToken.None))
            {
                foreach (var outcome in outcomes.Where(outcome => outcome.IsDone))
                {
                    left.Remove(outcome.Notice.Alert.Id);
                }

                if (left.Count < before - 1)
                {
                    // The emitter does the same when it can't record an outcome.
                    break;
                }
            }

            Assert.Equal(0, driver.FreeScout.CreatesInFlight);
            Assert.True(before < 90 || driver.FreeScout.CreatedCount < 90, "an abandoned pass starts no further creates");
            Assert.True(left.Count < before, "an unhindered pass delivers something");
        }

        Assert.Equal(90, driver.FreeScout.CreatedCount);
    }

    /// <summary>Further creates would wait for a connection while their timeout runs. The flood budget is off; it would hide
    /// that.</summary>
    [Fact]
    public async Task Concurrent_creates_never_exceed_the_connections()
    {
        var connections = 0;
        await using var driver = await AlertDriver.StartAsync(
            settings: NoBudget,
            services: services =>
                services
                    .AddHttpClient(FreeScoutClient.HttpName)
                    .UseSocketsHttpHandler(
                        (handler, _) => (connections, handler.MaxConnectionsPerServer) = (handler.MaxConnectionsPerServer, 1000)
                    )
        );
        using var slow = driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate, Delay = TimeSpan.FromMilliseconds(50) }
        );

        await driver.RaiseAsync([.. Enumerable.Range(0, 80).Select(n => AlertDriver.Say($"alert{n}"))]);
        await driver.EventuallyTicketsAsync(80);

        Assert.InRange(driver.FreeScout.PeakCreatesInFlight, 2, FreeScoutClient.MostAtOnce);
        Assert.Equal(FreeScoutClient.MostAtOnce, connections);
    }

    [Fact]
    public async Task A_pass_without_an_outcome_for_a_minute_is_an_ERROR_and_fails_a_pipeline_check()
    {
        var clock = new StillClock();
        await using var console = await DiagnosedConsole.StartAsync(
            new() { ["Diagnostics:CanaryInterval"] = "00:00:10" },
            clock: clock,
            services: services =>
            {
                services.Remove(services.Single(service => service.ImplementationType == typeof(SlackAlertHook)));
                services.AddSingleton<IAlertHook, Stuck>();
            }
        );
        console.Host.ExpectsErrors = true;
        await console.Host.Get<AlertAggregator>().ObserveAsync([AlertDriver.Say()], CancellationToken.None);

        // In steps shorter than the lease: a console that has just lost the lease runs no test alert.
        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(2),
            async () =>
                DiagnosedConsole
                    .Step(await console.AskAsync(), "last_emit")
                    .GetProperty("seen")
                    .GetString()!
                    .Contains("The hook slack hangs: it has delivered nothing for a minute", StringComparison.Ordinal),
            "the step says which hook is stuck",
            TimeSpan.FromSeconds(0.3)
        );

        Assert.Single(
            console.Host.Log,
            line => line.StartsWith("ERROR", StringComparison.Ordinal) && line.Contains("emit stuck hook=slack", StringComparison.Ordinal)
        );
    }

    [Fact, Trait("Pitfall", "T-34")]
    public async Task A_refused_alert_is_tried_once_a_minute_leaves_no_row_and_is_logged_once()
    {
        var clock = new StillClock();
        await using var driver = await AlertDriver.StartAsync(settings: NoBudget, clock: clock);
        driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Status)
            {
                Match = FaultMatch.FreeScoutCreate,
                StatusCode = 422,
                Body = """{"message":"Error occurred"}""",
            }
        );
        await driver.RaiseAsync(AlertDriver.Say("refused"));
        await driver.EventuallyDecidedAsync("degraded: refused");

        // Each of these alerts wakes the hook, which gets the refused alert again.
        for (var other = 0; other < 3; other++)
        {
            await driver.RaiseAsync(AlertDriver.Say($"other{other}"));
            await Eventually.TrueAsync(
                async () => (await driver.DecisionsAsync()).Count(d => d.Word.Text == "degraded: refused") == other + 2,
                "the other was tried"
            );
        }

        Assert.Equal(1, Tries("refused"));
        clock.Advance(TimeSpan.FromSeconds(59));
        await driver.RaiseAsync(AlertDriver.Say("last"));
        await Eventually.TrueAsync(() => Tries("last") == 1, "the last alert was tried");
        Assert.Equal(1, Tries("refused"));
        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(1),
            () => Task.FromResult(Tries("refused") == 2),
            "the refused alert is tried again"
        );

        await using var db = driver.Database.Open();
        await Eventually.TrueAsync(async () => !await db.Tickets.AnyAsync(), "a refused create leaves no row");
        var key = AlertIdentity.KeyOf((await driver.AlertsAsync())[0].AlertId);
        Assert.Single(driver.Console.Log, line => line.Contains($"ticket filing failed alert_key={key}", StringComparison.Ordinal));

        int Tries(string name) => driver.Creates.Count(body => body.Contains($" {name}: ", StringComparison.Ordinal));
    }

    [Fact]
    public void The_pause_grows_with_each_failure_and_outlasts_the_outage_only_for_notes_and_refusals()
    {
        var clock = new StillClock();
        var retries = new TicketRetries(clock);
        var (firing, refused, note) = (Notices(2)[0], Notices(2)[1], Notices(1)[0] with { Kind = NoticeKind.Ended });
        var pauses = new List<double>();
        for (var failure = 0; failure < 6; failure++)
        {
            retries.Tried(new(firing, IsDone: false, DecisionWord.Error), FreeScoutFailureKind.ServerError);
            var at = clock.GetUtcNow();
            while (!retries.IsDue(firing))
            {
                clock.Advance(TimeSpan.FromSeconds(1));
            }

            pauses.Add((clock.GetUtcNow() - at).TotalSeconds);
        }

        Assert.Equal([2, 4, 8, 16, 30, 30], pauses);
        foreach (var notice in (AlertNotice[])[firing, note])
        {
            retries.Tried(new(notice, IsDone: false, DecisionWord.Error), FreeScoutFailureKind.ServerError);
        }

        retries.Tried(new(refused, IsDone: false, DecisionWord.Error), FreeScoutFailureKind.Refused);
        retries.OutageOver();
        Assert.Equal([true, false, false], new[] { firing, refused, note }.Select(retries.IsDue));
        clock.Advance(TicketRetries.AfterRefusal);
        Assert.Equal([true, true, true], new[] { firing, refused, note }.Select(retries.IsDue));
        retries.Tried(new(firing, IsDone: true, DecisionWord.Error), null);
        Assert.True(retries.IsDue(firing));
    }

    [Fact]
    public void While_reads_fail_a_probe_waits_for_them_as_long_as_it_may()
    {
        var clock = new StillClock();
        var retries = new TicketRetries(clock);
        retries.ProbeFailed(new FreeScoutFailure(FreeScoutFailureKind.ServerError, "503", WasSent: true), areReadsFailing: true);
        clock.Advance(FreeScoutFailure.LongestPause - TimeSpan.FromSeconds(1));
        Assert.False(retries.MayProbe);
        retries.OutageOver();
        Assert.True(retries.MayProbe);
    }

    [Fact]
    public void A_clock_that_is_set_back_lengthens_no_pause()
    {
        var clock = new StillClock();
        var retries = new TicketRetries(clock);
        var notice = Notices(1)[0];
        retries.Tried(new(notice, IsDone: false, DecisionWord.Error), FreeScoutFailureKind.ServerError);
        retries.ProbeFailed(new FreeScoutFailure(FreeScoutFailureKind.ServerError, "503", WasSent: true), areReadsFailing: false);
        Assert.Equal((false, false), (retries.IsDue(notice), retries.MayProbe));

        clock.SetBack(TimeSpan.FromHours(1));
        clock.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal((true, true), (retries.IsDue(notice), retries.MayProbe));
    }

    /// <summary>It ends and fires again each minute. Its ends are held until it has been quiet.</summary>
    [Fact, Trait("Pitfall", "T-24")]
    public async Task An_hour_of_flapping_is_one_pair_of_notes_on_the_ticket()
    {
        var (driver, notice) = await FiledAsync();
        await using var _ = driver;
        var hook = HookOf(driver);
        var (alert, told) = (notice.Alert, DeliveryOf(notice.Alert, driver.Clock.GetUtcNow()));
        var ended = alert with { Status = AlertStatus.Resolved, EndedAt = driver.Clock.GetUtcNow() };
        await DeliverOneAsync(hook, notice with { Alert = ended, Kind = NoticeKind.Ended, LastDelivery = told });
        for (var minute = 1; minute <= 60; minute++)
        {
            driver.Clock.Advance(TimeSpan.FromMinutes(1));
            var again = alert with { Reopened = minute, StartedAt = driver.Clock.GetUtcNow() };
            var outcome = await DeliverOneAsync(
                hook,
                notice with
                {
                    Alert = again,
                    Kind = NoticeKind.FiringAgain,
                    LastDelivery = told,
                    IsEndDelivered = minute == 1,
                }
            );
            Assert.Equal((true, "already open", notice.Ticket?.Id), (outcome.IsDone, outcome.Decision.Text, outcome.Ticket?.Id));
            told = DeliveryOf(again, driver.Clock.GetUtcNow());
        }

        Assert.Equal(
            ["Recovered at", "Fires again"],
            NotesOf(driver.FreeScout.Conversations[0]).Select(note => string.Join(' ', note.Split(' ').Take(2)))
        );
    }

    /// <summary>A warning keeps firing, and its critical rule begins and ends every other minute.</summary>
    [Fact, Trait("Pitfall", "T-24")]
    public async Task An_hour_of_a_severity_that_rises_and_falls_is_one_pair_of_notes_a_quiet_period()
    {
        var (driver, notice) = await FiledAsync();
        await using var _ = driver;
        var hook = HookOf(driver);
        var told = DeliveryOf(notice.Alert, driver.Clock.GetUtcNow());
        for (var minute = 1; minute <= 60; minute++)
        {
            driver.Clock.Advance(TimeSpan.FromMinutes(1));
            var alert = notice.Alert with { Severity = minute % 2 == 1 ? Severity.P1 : Severity.P3 };
            var outcome = await DeliverOneAsync(
                hook,
                notice with
                {
                    Alert = alert,
                    Kind = NoticeKind.SeverityChanged,
                    LastDelivery = told,
                    IsWorse = alert.IsP1,
                }
            );
            Assert.True(outcome.IsDone);
            told = DeliveryOf(alert, driver.Clock.GetUtcNow());
        }

        var notes = NotesOf(driver.FreeScout.Conversations[0]);
        Assert.Equal(1, driver.FreeScout.CreatedCount);
        Assert.InRange(notes.Count, 3, 9);
        Assert.StartsWith("Severity is P1 now; it was P2 ", notes[0], StringComparison.Ordinal);
        // The ticket never ends with a note of less than what fires.
        Assert.Equal([.. notes.Select((_, i) => i % 2 == 0 ? "P1" : "P3")], notes.Select(note => note.Split(' ')[2]));
    }

    private static async Task<(AlertDriver Driver, AlertNotice Filed)> FiledAsync()
    {
        var driver = await AlertDriver.StartAsync(
            settings: new Dictionary<string, string?>(NoBudget) { ["Ticketing:SyncInterval"] = "01:00:00" },
            clock: new StillClock()
        );
        await driver.Console.WaitForFlagsAsync();
        var notice = Notices(1)[0];
        var filed = await DeliverOneAsync(HookOf(driver), notice);
        return (driver, notice with { Ticket = filed.Ticket });
    }

    private static async Task<HookOutcome> DeliverOneAsync(TicketAlertHook hook, AlertNotice notice) =>
        (await hook.DeliverAsync([notice], CancellationToken.None).SelectMany(some => some).ToListAsync()).Single();

    private static AlertDelivery DeliveryOf(Alert alert, DateTimeOffset at) =>
        new()
        {
            AlertRow = alert.Id,
            Hook = DecisionSources.Ticket,
            Kind = DeliveryKind.Firing,
            At = at,
            Severity = alert.Severity,
            Reopened = alert.Reopened,
        };

    /// <summary>The texts of the notes, oldest first.</summary>
    internal static List<string> NotesOf(SandboxConversation ticket) =>
        [
            .. ticket
                .Threads.Where(thread => thread.Type == "note")
                .Reverse()
                .Select(thread => thread.Body.Replace("<p>", "", StringComparison.Ordinal).Replace("</p>", "", StringComparison.Ordinal)),
        ];

    private static TicketAlertHook HookOf(AlertDriver driver) =>
        driver.Console.Get<IEnumerable<IAlertHook>>().OfType<TicketAlertHook>().Single();

    internal static List<AlertNotice> Notices(int count) =>
        [
            .. Enumerable
                .Range(1, count)
                .Select(n => new AlertNotice(
                    new Alert
                    {
                        Id = n,
                        AlertId = AlertIdentity.Of("test", $"alert{n}", null, []),
                        LogicalId = AlertIdentity.Of("test", $"alert{n}", null, []),
                        Status = AlertStatus.Firing,
                        Source = "test",
                        Name = $"alert{n}",
                        Severity = Severity.P2,
                        Summary = $"alert{n}",
                        StartedAt = DateTimeOffset.UnixEpoch,
                        OpenedAt = DateTimeOffset.UnixEpoch,
                        SeenAt = DateTimeOffset.UnixEpoch,
                    },
                    NoticeKind.Firing,
                    null,
                    null
                )),
        ];

    /// <summary>A hook with a call that never ends and has no timeout.</summary>
    private sealed class Stuck : IAlertHook
    {
        public string Name => DecisionSources.Slack;

        public async IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverAsync(
            IReadOnlyList<AlertNotice> notices,
            [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken
        )
        {
            if (notices.Count > 0)
            {
                await Task.Delay(Timeout.Infinite, cancellationToken);
            }

            yield break;
        }
    }
}
