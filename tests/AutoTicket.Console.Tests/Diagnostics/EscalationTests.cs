using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Diagnostics;
using AutoTicket.FreeScout;
using AutoTicket.Intake;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using static AutoTicket.Tests.Diagnostics.DiagnosedConsole;

namespace AutoTicket.Tests.Diagnostics;

public sealed class EscalationTests
{
    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    public async Task One_permanently_deleted_ticket_starts_no_escalation(int ghosts, bool expected)
    {
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        await using var services = database.AsTheConsole();
        await using var db = database.Open();
        var now = TimeProvider.System.GetUtcNow();
        db.TicketFindings.AddRange(
            Enumerable
                .Range(1, ghosts)
                .Select(id => new FindingRow
                {
                    ConversationId = id,
                    Kind = FindingKind.Ghost,
                    Number = id,
                    Subject = "",
                    Detail = "",
                    FirstSeenAt = now,
                    SeenAt = now,
                    IsOpen = true,
                })
        );
        await db.SaveChangesAsync();
        var log = new FindingStore(
            services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>(),
            Options.Create(new TicketingOptions()),
            Options.Create(new FreeScoutOptions()),
            TimeProvider.System,
            NullLogger<FindingStore>.Instance
        );
        var rules = new EscalationConditions(null!, null!, null!, log, null!).All;

        var fact = await rules.Single(rule => rule.Condition == EscalationCondition.GhostTickets).ReadAsync(default);

        Assert.Equal(expected, fact.Holds == true);
    }

    private static JsonElement Clock(JsonElement answer, string condition) =>
        answer.GetProperty("escalations").EnumerateArray().Single(clock => clock.GetProperty("condition").GetString() == condition);

    private static async Task EventuallyAsync(DiagnosedConsole console, string condition, string state)
    {
        try
        {
            await Eventually.TrueAsync(
                async () => Clock(await console.AskAsync(), condition).GetProperty("state").GetString() == state,
                $"the clock of {condition} is {state}"
            );
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException($"{late.Message}\n{string.Join('\n', console.Host.Log)}", late);
        }
    }

    private static int Dms(SandboxServer sandbox, string title) =>
        sandbox.Slack.Messages.Count(message =>
            message.Text.Contains(title, StringComparison.Ordinal) && !message.Text.Contains("RECOVERED", StringComparison.Ordinal)
        );

    [Theory, BothDatabases]
    public async Task An_escalation_survives_a_restart_and_is_sent_once_with_its_end(Database kind)
    {
        var clock = new StillClock();
        using var running = clock.Run();
        await using var console = await StartAsync(clock: clock, kind: kind);
        using (console.Sandbox.Faults.Add(new(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 }))
        {
            await RefreshAsync(console.Host);
            await EventuallyAsync(console, "freescout_down", "running");
            clock.Advance(TimeSpan.FromMinutes(20));
            Assert.Equal(0, Dms(console.Sandbox, "FreeScout is down"));

            await using var second = await ConsoleHost.StartAsync(console.Database, console.Sandbox, clock: clock);
            clock.Advance(TimeSpan.FromMinutes(10));
            await Eventually.TrueAsync(() => Dms(console.Sandbox, "FreeScout is down") == 1, "the DM is sent");
            await EventuallyAsync(console, "freescout_down", "told");

            clock.Advance(TimeSpan.FromMinutes(10));
            var told = Clock(await console.AskAsync(), "freescout_down");
            Assert.Equal(1, Dms(console.Sandbox, "FreeScout is down"));
            Assert.Equal(
                TimeSpan.FromMinutes(30),
                told.GetProperty("due_at").GetDateTimeOffset() - told.GetProperty("since").GetDateTimeOffset()
            );
            Assert.StartsWith("FreeScout ", told.GetProperty("evidence").GetString(), StringComparison.Ordinal);
        }

        // The circuit may be open; this step ends its break.
        clock.Advance(TimeSpan.FromSeconds(10));
        await RefreshAsync(console.Host);
        await EventuallyAsync(console, "freescout_down", "idle");
        await Eventually.TrueAsync(
            () => console.Sandbox.Slack.Messages.Any(message => message.Text.Contains("RECOVERED", StringComparison.Ordinal)),
            "the recovery DM is sent"
        );
        // An escalation files no ticket, neither during the outage nor afterwards.
        Assert.Empty(console.Sandbox.FreeScout.Conversations);
    }

    [Fact]
    [Trait("Pitfall", "T-38")]
    public async Task An_escalation_during_a_Slack_outage_is_shown_as_unsent_and_sent_afterwards()
    {
        var clock = new StillClock();
        using var running = clock.Run();
        await using var console = await StartAsync(clock: clock);
        using var freeScout = console.Sandbox.Faults.Add(new(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout });
        var slack = console.Sandbox.Faults.Add(Fault.SlackError("invalid_auth"));
        await RefreshAsync(console.Host);
        await EventuallyAsync(console, "key_invalid", "running");
        clock.Advance(TimeSpan.FromMinutes(10));

        await Eventually.TrueAsync(
            async () =>
                Clock(await console.AskAsync(), "key_invalid") is var due
                && due.GetProperty("state").GetString() == "due"
                && due.GetProperty("not_told").GetString()?.StartsWith("degraded: token_rejected", StringComparison.Ordinal) == true,
            "the escalation is due and could not be sent"
        );
        slack.Dispose();
        await clock.AdvanceUntilAsync(
            TimeSpan.FromMinutes(1),
            () => Task.FromResult(Dms(console.Sandbox, "The FreeScout key is invalid") == 1),
            "the DM is sent"
        );
    }

    /// <summary>It began while the database could not be reached, so that it is no row.</summary>
    [Fact]
    public async Task An_escalation_that_was_sent_from_memory_and_ended_before_the_database_is_back_gets_its_end_sent()
    {
        await using var console = await ConsoleHost.StartAsync();
        await console.Get<InMemoryAlerts>().DeliverFromMemoryAsync([KeyInvalid], default);
        Assert.Equal(1, Dms(console.Sandbox, "The FreeScout key is invalid"));

        await RefreshAsync(console);

        await Eventually.TrueAsync(
            () => console.Sandbox.Slack.Messages.Any(message => message.Text.Contains("RECOVERED", StringComparison.Ordinal)),
            "the end is sent"
        );
    }

    /// <summary>Another console led when it ended.</summary>
    [Fact]
    public async Task An_escalation_that_ended_elsewhere_is_sent_from_memory_when_it_comes_back()
    {
        await using var console = await ConsoleHost.StartAsync();
        var (memory, watch) = (console.Get<InMemoryAlerts>(), console.Get<EscalationWatch>());
        await RefreshAsync(console);
        await memory.StoreDeliveriesAsync([KeyInvalid], [new(KeyInvalid.AlertId, ObservationResult.Opened)], default);
        for (var sweep = 0; sweep < 2; sweep++)
        {
            var before = watch.Levels;
            await Eventually.TrueAsync(() => watch.Levels != before, "the conditions are looked at");
        }

        await memory.DeliverFromMemoryAsync([KeyInvalid], default);

        Assert.Equal(1, Dms(console.Sandbox, "The FreeScout key is invalid"));
    }

    /// <summary>The database can be read and not written, as on a full disk.</summary>
    [Fact]
    public async Task An_escalation_that_can_not_be_stored_is_sent_from_memory_and_once()
    {
        var clock = new StillClock();
        using var running = clock.Run();
        await using var console = await StartAsync(clock: clock, kind: Database.Postgres);
        await using var db = console.Database.Open();
        await db.ExecuteTogetherAsync(
            [
                $"""
                CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
                  RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
                END $f$
                """,
                $"CREATE TRIGGER no_space BEFORE INSERT ON alerts FOR EACH STATEMENT EXECUTE FUNCTION no_space()",
            ],
            default
        );
        using var freeScout = console.Sandbox.Faults.Add(new(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout });
        await RefreshAsync(console.Host);
        await EventuallyAsync(console, "key_invalid", "running");
        clock.Advance(TimeSpan.FromMinutes(10));
        await Eventually.TrueAsync(() => Dms(console.Sandbox, "The FreeScout key is invalid") == 1, "the operator is notified");

        await db.ExecuteAsync($"DROP TRIGGER no_space ON alerts", default);

        await EventuallyAsync(console, "key_invalid", "told");
        Assert.Equal(1, Dms(console.Sandbox, "The FreeScout key is invalid"));
    }

    private static Observation KeyInvalid =>
        new(
            Observation.Console,
            Observation.Escalation,
            null,
            Severity.P1,
            "The FreeScout key is invalid.",
            true,
            new Dictionary<string, string> { ["condition"] = "key_invalid" },
            StartsAt: TimeProvider.System.GetUtcNow()
        );

    [Fact]
    public async Task Parked_alerts_are_shown_in_the_diagnostics_and_sent_to_the_operator()
    {
        var clock = new StillClock();
        using var running = clock.Run();
        await using var console = await StartAsync(clock: clock);
        var parked = console.Host.Get<ParkedAlerts>();
        await parked.AddAsync([AlertFormat.Generic.Park("{}"u8.ToArray(), "“name” is missing: send one.", clock.GetUtcNow())], default);

        var answer = await console.EventuallyInAsync(["parked_alerts"], "failed");
        Assert.StartsWith(
            "1 alert could not be read and reached nobody, the last at ",
            Step(answer, "parked_alerts").GetProperty("seen").GetString(),
            StringComparison.Ordinal
        );
        Assert.EndsWith("“name” is missing: send one.", VerdictOf(answer), StringComparison.Ordinal);
        await EventuallyAsync(console, "alerts_parked", "running");
        clock.Advance(TimeSpan.FromMinutes(10));
        await Eventually.TrueAsync(() => Dms(console.Sandbox, "1 alert is parked, the last from the generic") == 1, "the DM is sent");
        await EventuallyAsync(console, "alerts_parked", "told");

        Assert.Equal("Discarded.", await parked.DiscardAsync((await parked.ListAsync(default))!.Single().Id, "ada", default));
        await EventuallyAsync(console, "alerts_parked", "idle");
    }

    [Fact]
    public async Task An_unknown_condition_neither_starts_nor_ends_an_escalation()
    {
        var clock = new StillClock();
        using var running = clock.Run();
        await using var console = await StartAsync(clock: clock);
        using var freeScout = console.Sandbox.Faults.Add(new(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout });
        await RefreshAsync(console.Host);
        await EventuallyAsync(console, "key_invalid", "running");
        clock.Advance(TimeSpan.FromMinutes(10));
        await EventuallyAsync(console, "key_invalid", "told");

        freeScout.Dispose();
        using var down = console.Sandbox.Faults.Add(new(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 });
        await RefreshAsync(console.Host);
        // The circuit opened; this step ends its break.
        clock.Advance(TimeSpan.FromSeconds(10));
        await RefreshAsync(console.Host);
        await EventuallyAsync(console, "freescout_down", "running");

        Assert.Equal("told", Clock(await console.AskAsync(), "key_invalid").GetProperty("state").GetString());
        var watch = console.Host.Get<EscalationWatch>();
        await Eventually.TrueAsync(() => LevelOf(EscalationCondition.FreescoutDown) == 1, "the conditions are looked at");
        Assert.Equal(2, LevelOf(EscalationCondition.KeyInvalid));

        int LevelOf(EscalationCondition condition) => watch.Levels.Single(one => one.Condition == condition).Level;
    }

    [Fact]
    public async Task One_429_during_an_outage_does_not_restart_its_clock()
    {
        var health = new FreeScoutHealth(new StillClock());
        var down = new EscalationConditions(null!, health, null!, null!, null!).All.Single(rule =>
            rule.Condition == EscalationCondition.FreescoutDown
        );

        foreach (var kind in new[] { FreeScoutFailureKind.ServerError, FreeScoutFailureKind.RateLimited })
        {
            health.Failed(new(kind, "no", WasSent: true), FreeScoutCall.Read);
            var fact = await down.ReadAsync(default);
            // Unknown: the row of the condition stays.
            Assert.Equal(kind == FreeScoutFailureKind.ServerError ? true : null, fact.Holds);
        }
    }

    private static Task<bool> RefreshAsync(ConsoleHost console) => console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
}
