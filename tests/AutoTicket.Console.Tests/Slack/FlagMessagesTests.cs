using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.Hosting;
using AutoTicket.Sandbox;
using AutoTicket.Slack;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Alerts;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Slack;

/// <summary>The DMs about flags: one for each flip, and one a day while a flag is switched off.</summary>
public sealed class FlagMessagesTests
{
    // Shorter than the lease: after a longer step the leader would look as if it had lost it.
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(5);
    private const string NoticeRow = $"flag_notice:{FlagNames.AlertsAutoTicket}";
    private readonly StillClock _clock = new();

    [Theory, BothDatabases]
    public async Task A_flip_is_told_once_across_restarts_with_who_why_and_until_when(Database kind)
    {
        await using var driver = await StartAsync(kind);

        await FlipAsync(driver, false, "too many tickets tonight", "1h");
        await ToldAsync(driver, 1);
        Assert.Equal(
            [
                "Automatic tickets for alerts are off until 2026-11-23 13:00:00 UTC. "
                    + "Switched by developer at 2026-11-23 12:00:00 UTC: too many tickets tonight",
                $"Flags: <{driver.Console.Address}console/flags>",
            ],
            WithTimes(Told(driver)[0])
        );

        await driver.StopAsync(driver.Console);
        await driver.StartConsoleAsync();
        await FlipAsync(driver, true, "it is over");
        await ToldAsync(driver, 2);
        Assert.StartsWith(
            "Automatic tickets for alerts are on until somebody switches them off. Switched by developer at ",
            Told(driver)[1],
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Of_two_processes_one_tells_and_what_is_scheduled_or_unchanged_is_no_flip()
    {
        await using var driver = await StartAsync(consoles: 2);

        await FlipAsync(driver, true, "it is on already");
        await FlipAsync(driver, false, "a flip");
        await ToldAsync(driver, 1);
        await StepAsync(driver, 10);

        Assert.Contains(": a flip\n", Assert.Single(Told(driver)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_an_outage_of_Slack_a_flip_is_told_later_but_not_when_it_is_old()
    {
        await using var driver = await StartAsync();
        var down = new Fault(FaultKind.Status) { Match = FaultMatch.Slack, StatusCode = 503 };
        var outage = driver.Sandbox.Faults.Add(down);
        await FlipInVainAsync(false, "told later");
        outage.Dispose();
        await ToldAsync(driver, 1);

        outage = driver.Sandbox.Faults.Add(down);
        await FlipInVainAsync(true, "never told");
        _clock.Advance(TimeSpan.FromMinutes(61));
        outage.Dispose();
        await FlipAsync(driver, false, "told at once");
        await ToldAsync(driver, 2);

        Assert.Equal(["told later", "told at once"], Told(driver).Select(text => text.Split('\n')[0].Split(": ")[^1]));

        // Waits for the WARNING: when the stand-in has counted the call, the console does not know yet that it failed.
        async Task FlipInVainAsync(bool enabled, string reason)
        {
            var before = Warnings();
            await FlipAsync(driver, enabled, reason);
            await Eventually.TrueAsync(() => Warnings() > before, "the message failed");
        }

        int Warnings() =>
            driver.Console.Log.Count(line => line.StartsWith("WARNING", StringComparison.Ordinal) && line.Contains("slack degraded"));
    }

    /// <summary>The network drops packets, or a proxy refuses: Slack got nothing, though the channel is known already.</summary>
    [Fact]
    public async Task A_message_for_which_no_connection_was_made_is_sent_later()
    {
        var connected = new TaskCompletionSource();
        connected.SetResult();
        await using var driver = await StartAsync(services: services =>
            services
                .AddHttpClient(SlackClient.HttpName)
                .UseSocketsHttpHandler(
                    (handler, _) =>
                    {
                        handler.PooledConnectionLifetime = TimeSpan.Zero;
                        handler.ConnectCallback = async (context, cancellationToken) =>
                        {
                            await Volatile.Read(ref connected).Task.WaitAsync(cancellationToken);
                            return await HappyEyeballs.ConnectAsync(context, cancellationToken);
                        };
                    }
                )
        );
        await FlipAsync(driver, false, "first");
        await ToldAsync(driver, 1);

        Volatile.Write(ref connected, new TaskCompletionSource());
        await FlipAsync(driver, true, "second");
        await _clock.AdvanceUntilAsync(
            Step,
            () => Task.FromResult(driver.Console.Log.Any(line => line.Contains("slack degraded cause=TimedOut", StringComparison.Ordinal))),
            "the message failed"
        );
        connected.SetResult();
        await ToldAsync(driver, 2);

        Assert.Equal(["first", "second"], Told(driver).Select(text => text.Split('\n')[0].Split(": ")[^1]));
    }

    [Fact]
    public async Task A_message_whose_answer_was_lost_is_not_sent_again_and_many_flips_are_one_message()
    {
        await using var driver = await StartAsync();
        var outage = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.Slack, StatusCode = 503 });
        for (var flips = 0; flips < 7; flips++)
        {
            await FlipAsync(driver, flips % 2 == 1, $"flip {flips}");
        }

        await Eventually.TrueAsync(() => outage.Hits > 0, "Slack was called");
        var lost = driver.Sandbox.Faults.Add(new Fault(FaultKind.CloseAfter) { Match = FaultMatch.SlackPost, Times = 1 });
        outage.Dispose();
        await ToldAsync(driver, 1);
        await StepAsync(driver, 20);

        Assert.Equal(1, lost.Hits);
        var lines = Assert.Single(Told(driver)).Split('\n');
        Assert.Equal("2 earlier changes of this flag are in the audit log.", lines[0]);
        Assert.Equal(["flip 2", "flip 3", "flip 4", "flip 5", "flip 6"], lines[1..^1].Select(line => line.Split(": ")[^1]));
    }

    [Fact]
    public async Task A_flip_is_told_once_and_in_order_though_the_clock_was_put_back()
    {
        await using var driver = await StartAsync();
        var outage = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.Slack, StatusCode = 503 });
        await FlipAsync(driver, false, "first");
        _clock.SetBack(TimeSpan.FromMinutes(2));
        await FlipAsync(driver, true, "second");
        await Eventually.TrueAsync(() => outage.Hits > 0, "Slack was called");
        outage.Dispose();
        await ToldAsync(driver, 1);
        await StepAsync(driver, 20);

        Assert.Equal(["first", "second"], Assert.Single(Told(driver)).Split('\n')[..^1].Select(line => line.Split(": ")[^1]));
    }

    [Theory, BothDatabases]
    public async Task A_time_that_was_told_is_corrected_when_the_scheduled_change_is_moved_or_canceled(Database kind)
    {
        await using var driver = await StartAsync(kind);
        await FlipAsync(driver, false, "too many tickets", "4h");
        await ToldAsync(driver, 1);
        // The flip is now too old for a message.
        _clock.Advance(TimeSpan.FromMinutes(90));

        await FlipAsync(driver, true, "it takes longer", at: _clock.GetUtcNow().AddHours(5));
        await ToldAsync(driver, 2);
        await CancelAsync(driver);
        await ToldAsync(driver, 3);
        // Without a time, what was told stays true until the flag is switched.
        await FlipAsync(driver, true, "some time", at: _clock.GetUtcNow().AddHours(5));
        await CancelAsync(driver);
        await StepAsync(driver, 20);

        Assert.Equal(
            [
                "Automatic tickets for alerts are off until 2026-11-23 16:00:00 UTC. "
                    + "Switched by developer at 2026-11-23 12:00:00 UTC: too many tickets",
                "Automatic tickets for alerts stay off until 2026-11-23 18:00:00 UTC. "
                    + "Changed by developer at 2026-11-23 13:00:00 UTC: it takes longer",
                "Automatic tickets for alerts stay off until somebody switches them on. "
                    + "Changed by developer at 2026-11-23 13:00:00 UTC: the scheduled change was cancelled",
            ],
            Told(driver).Select(text => WithTimes(text)[0])
        );
    }

    [Theory, BothDatabases]
    public async Task A_flag_switched_off_for_a_time_and_then_without_an_end_stays_off_and_the_DM_says_so(Database kind)
    {
        await using var driver = await StartAsync(kind);
        await FlipAsync(driver, false, "too many tickets", "1h");
        await ToldAsync(driver, 1);
        await FlipAsync(driver, false, "keep off until fixed");
        await ToldAsync(driver, 2);
        _clock.Advance(TimeSpan.FromMinutes(90));
        await StepAsync(driver, 20);

        Assert.Equal(2, Told(driver).Count);
        Assert.Equal(
            "Automatic tickets for alerts stay off until somebody switches them on. "
                + "Changed by developer at 2026-11-23 12:00:00 UTC: keep off until fixed",
            WithTimes(Told(driver)[1])[0]
        );
        await using var db = driver.Database.Open();
        Assert.False((await db.FeatureFlags.SingleAsync(flag => flag.Name == FlagNames.AlertsAutoTicket)).Enabled);
    }

    /// <summary>Both go down between the claim of a message and its release.</summary>
    [Theory]
    [InlineData("23:59:59", "are on until")]
    [InlineData("00:00:00", "have been off for")]
    public async Task A_message_that_fails_as_Slack_and_the_database_go_down_is_sent_when_they_are_back(string remindAt, string words)
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        await using var db = database.Open();
        db.FeatureFlags.Add(
            new()
            {
                Name = FlagNames.AlertsAutoTicket,
                Enabled = false,
                OffSince = TimeProvider.System.GetUtcNow().AddDays(-2),
                OffBy = "olga",
                OffReason = "a flip",
            }
        );
        await db.SaveChangesAsync();
        // Opening the channel sends nothing, so a failure of it leaves the message unsent.
        var hang = sandbox.Faults.Add(new Fault(FaultKind.HangBefore) { Match = FaultMatch.SlackOpen });
        await using var console = await ConsoleHost.StartAsync(
            database,
            sandbox,
            new Dictionary<string, string?>
            {
                ["DATABASE_URL"] = line.Through(database.Location),
                ["Leader:Lease"] = "00:00:03",
                ["Slack:RemindAt"] = remindAt,
            },
            services: services => services.Configure<SlackOptions>(slack => slack.CallTimeout = TimeSpan.FromSeconds(3))
        );
        await Eventually.TrueAsync(() => db.Leases.AnyAsync(lease => lease.Name == NoticeRow), "the leader knows which flips are old");
        if (words.StartsWith("are on", StringComparison.Ordinal))
        {
            await FlipAsync(console, true, "a flip");
        }

        await Eventually.TrueAsync(() => hang.Hits > 0, "the message is claimed and Slack was called");
        line.Cut();
        await Eventually.TrueAsync(
            () => console.Log.Any(entry => entry.Contains("slack degraded", StringComparison.Ordinal)),
            "Slack did not answer"
        );
        await Eventually.TrueAsync(() => !console.Get<LeaderLease>().IsLeader, "the database is away for longer than the lease");
        hang.Dispose();
        line.Restore();

        // The reminder looks every 30 s.
        await Eventually.TrueAsync(
            () => sandbox.Slack.Messages.Any(message => message.Text.Contains(words, StringComparison.Ordinal)),
            "the message is sent",
            2 * Eventually.Patience
        );
        Assert.Single(sandbox.Slack.Messages, message => message.Text.Contains(words, StringComparison.Ordinal));
    }

    /// <summary>The connection is lost between the commit of the claim and its answer.</summary>
    [Theory]
    [InlineData("23:59:59", NoticeRow, "are on until")]
    [InlineData("00:00:00", "flag_reminder", "have been off for")]
    public async Task A_message_whose_claim_lost_its_answer_is_sent_once_the_database_is_back(string remindAt, string row, string words)
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        await using var db = database.Open();
        await using var held = database.Open();
        db.FeatureFlags.Add(
            new()
            {
                Name = FlagNames.AlertsAutoTicket,
                Enabled = false,
                OffSince = TimeProvider.System.GetUtcNow().AddDays(-2),
                OffBy = "olga",
                OffReason = "a flip",
            }
        );
        db.Leases.Add(
            new LeaseRow
            {
                Name = row,
                Owner = "before",
                Until = DateTimeOffset.UnixEpoch,
            }
        );
        await db.SaveChangesAsync();
        await using var transaction = await held.BeginAsync(default);
        await held.Database.ExecuteSqlAsync($"SELECT * FROM leases WHERE name = {row} FOR UPDATE");
        await using var console = await ConsoleHost.StartAsync(
            database,
            sandbox,
            new Dictionary<string, string?> { ["DATABASE_URL"] = line.Through(database.Location), ["Slack:RemindAt"] = remindAt }
        );
        if (row == NoticeRow)
        {
            await console.WaitForFlagsAsync();
            await FlipAsync(console, true, "a flip");
        }

        await Eventually.TrueAsync(
            () =>
                db
                    .Database.SqlQuery<bool>(
                        $"""
                        SELECT count(*) > 0 AS "Value" FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%leases%'
                        """
                    )
                    .SingleAsync(),
            "the claim waits"
        );
        line.Stall();
        await transaction.CommitAsync();
        await Eventually.TrueAsync(() => console.Get<DatabaseGate>().Problem is not null, "the answers are lost");
        line.Cut();
        line.Restore();

        // The reminder looks every 30 s.
        await Eventually.TrueAsync(
            () => sandbox.Slack.Messages.Any(message => message.Text.Contains(words, StringComparison.Ordinal)),
            "the message is sent",
            2 * Eventually.Patience
        );
        Assert.Single(sandbox.Slack.Messages, message => message.Text.Contains(words, StringComparison.Ordinal));
    }

    /// <summary>The row of the day is from a process whose clock was ahead, or from before the setting was changed.</summary>
    [Theory, BothDatabases]
    public async Task The_daily_message_is_sent_once_a_day_though_the_clock_was_ahead_or_its_time_is_set_earlier(Database kind)
    {
        await using var driver = await StartAsync(kind, new() { ["Slack:RemindAt"] = "12:10:00" });
        await FlipAsync(driver, false, "forgotten");
        AdvanceTo(new(2026, 11, 28, 12, 15, 0, TimeSpan.Zero));
        await RemindedAsync(driver, 1);

        _clock.SetBack(TimeSpan.FromDays(2));
        await RemindedAsync(driver, 2);

        await driver.StopAsync(driver.Console);
        await driver.StartConsoleAsync(new Dictionary<string, string?> { ["Slack:RemindAt"] = "11:10:00" });
        AdvanceTo(new(2026, 11, 27, 11, 15, 0, TimeSpan.Zero));
        await RemindedAsync(driver, 3);
        AdvanceTo(new(2026, 11, 27, 12, 15, 0, TimeSpan.Zero));
        await StepAsync(driver, 20);
        Assert.Equal(3, Reminders(driver).Count);

        void AdvanceTo(DateTimeOffset time) => _clock.Advance(time - _clock.GetUtcNow());
    }

    [Theory, BothDatabases]
    public async Task A_day_after_a_flag_was_switched_off_a_daily_message_counts_the_alerts_without_a_ticket(Database kind)
    {
        await using var driver = await StartAsync(kind, new() { ["Slack:RemindAt"] = "12:10:00" });
        await driver.RaiseAsync(AlertDriver.Say("disk_slow"));
        await driver.EventuallyTicketsAsync(1);
        await driver.EventuallySettledAsync();
        driver.FreeScout.Close(driver.FreeScout.Conversations[0].Id);
        // Its ticket is older than the flip.
        _clock.Advance(Step);
        await FlipAsync(driver, false, "too many tickets");
        await driver.RaiseAsync([
            AlertDriver.Say("disk_full"),
            AlertDriver.Say("disk_slow", Severity.P1),
            AlertDriver.Say("disk_warm", Severity.P3),
        ]);
        await _clock.AdvanceUntilAsync(
            Step,
            async () => (await driver.DecisionsAsync()).Count(decision => decision.Word.Text == "flag off") == 2,
            "two alerts got no ticket because of the flag"
        );
        await using (var db = driver.Database.Open())
        {
            await _clock.AdvanceUntilAsync(
                Step,
                () => db.Tickets.AllAsync(ticket => ticket.State == TicketState.Closed),
                "the console has recorded that the ticket is closed"
            );
        }

        // The time of the reminder, on the day on which the flag was switched off.
        _clock.Advance(TimeSpan.FromMinutes(15));
        await StepAsync(driver, 20);
        Assert.Empty(Reminders(driver));

        _clock.Advance(TimeSpan.FromHours(24));
        await RemindedAsync(driver, 1);
        Assert.Equal(
            [
                "Automatic tickets for alerts have been off for 24 h. Switched by developer at 2026-11-23 12:00:00 UTC: too many tickets",
                "2 alerts of P2 or worse went without a ticket meanwhile.",
                $"Switch on: <{driver.Console.Address}console/flags>",
            ],
            WithTimes(Reminders(driver)[0])
        );

        await driver.StopAsync(driver.Console);
        await driver.StartConsoleAsync();
        await StepAsync(driver, 20);
        Assert.Single(Reminders(driver));
        _clock.Advance(TimeSpan.FromHours(24));
        await RemindedAsync(driver, 2);

        await FlipAsync(driver, true, "it is over");
        _clock.Advance(TimeSpan.FromHours(24));
        await StepAsync(driver, 20);
        Assert.Equal(2, Reminders(driver).Count);
    }

    [Theory, BothDatabases]
    public async Task The_daily_message_goes_on_while_the_other_flag_changes_often_and_when_the_audit_entries_expire(Database kind)
    {
        await using var driver = await StartAsync(kind, new() { ["Slack:RemindAt"] = "12:10:00" });
        await FlipAsync(driver, false, "forgotten");
        await using (var db = driver.Database.Open())
        {
            db.AuditLog.AddRange(
                Enumerable.Range(0, 120).Select(n => Flip(FlagNames.InvestigateFromStatus, _clock.GetUtcNow(), n % 2 == 0))
            );
            await db.SaveChangesAsync();
        }

        _clock.Advance(TimeSpan.FromHours(25));
        await RemindedAsync(driver, 1);
        await using (var db = driver.Database.Open())
        {
            await db.AuditLog.ExecuteDeleteAsync();
        }

        _clock.Advance(TimeSpan.FromHours(24));
        await RemindedAsync(driver, 2);

        Assert.Equal(
            [
                "Automatic tickets for alerts have been off for 25 h. Switched by developer at 2026-11-23 12:00:00 UTC: forgotten",
                "Automatic tickets for alerts have been off for 2 days. Switched by developer at 2026-11-23 12:00:00 UTC: forgotten",
            ],
            Reminders(driver).Select(text => WithTimes(text)[0])
        );
    }

    [Fact]
    public async Task Of_a_flag_that_the_environment_pins_it_is_told_that_only_the_environment_can_switch_it_on()
    {
        await using var driver = await StartAsync(settings: new() { ["Slack:RemindAt"] = "12:10:00" });
        await FlipAsync(driver, false, "too many tickets", "1h");
        await ToldAsync(driver, 1);

        await RestartAsync(driver, "0");
        await ToldAsync(driver, 2);
        _clock.Advance(TimeSpan.FromHours(25));
        await RemindedAsync(driver, 1);
        await RestartAsync(driver, "1");
        await ToldAsync(driver, 3);

        const string Environment = "FLAG_CONSOLE_ALERTS_AUTO_TICKET is changed in the environment and the console restarts. ";
        Assert.Equal(
            [
                $"Automatic tickets for alerts stay off until {Environment}"
                    + "Changed by environment at 2026-11-23 12:00:00 UTC: the environment says off since this start",
                "Automatic tickets for alerts are on until somebody switches them off. "
                    + "Switched by environment at 2026-11-24 13:00:00 UTC: the environment says on since this start",
            ],
            Told(driver).Skip(1).Select(text => WithTimes(text)[0])
        );
        var reminder = WithTimes(Assert.Single(Reminders(driver)));
        Assert.Equal(
            $"Automatic tickets for alerts have been off for 25 h and stay off until {Environment}"
                + "Switched by developer at 2026-11-23 12:00:00 UTC: too many tickets",
            reminder[0]
        );
        Assert.StartsWith("Flags: <", reminder[^1], StringComparison.Ordinal);
    }

    [Theory, BothDatabases]
    public async Task Of_a_flag_that_only_the_environment_switched_off_it_is_reminded_though_the_audit_entry_has_expired(Database kind)
    {
        await using var driver = await StartAsync(kind, new() { ["Slack:RemindAt"] = "12:10:00" });
        await RestartAsync(driver, "0");
        await using (var db = driver.Database.Open())
        {
            Assert.NotEqual(0, await db.AuditLog.Where(entry => entry.Action == AuditActions.FlagChanged).ExecuteDeleteAsync());
        }

        _clock.Advance(TimeSpan.FromHours(25));
        await RemindedAsync(driver, 1);

        Assert.Equal(
            "Automatic tickets for alerts have been off for 25 h and stay off until FLAG_CONSOLE_ALERTS_AUTO_TICKET is changed in the "
                + "environment and the console restarts. Switched by environment at 2026-11-23 12:00:00 UTC: "
                + "the environment says off since this start",
            WithTimes(Assert.Single(Reminders(driver)))[0]
        );
    }

    [Fact]
    public async Task A_flag_that_was_never_on_is_not_reminded_of()
    {
        await using var driver = await StartAsync(
            settings: new()
            {
                ["Slack:RemindAt"] = "12:10:00",
                [FlagNames.AlertsAutoTicket] = null,
                [FlagNames.InvestigateFromStatus] = "0",
            }
        );

        _clock.Advance(TimeSpan.FromHours(49));
        await StepAsync(driver, 20);

        Assert.Empty(Reminders(driver));
        Assert.Empty(Told(driver));
    }

    private async Task<AlertDriver> StartAsync(
        Database kind = Database.Sqlite,
        Dictionary<string, string?>? settings = null,
        int consoles = 1,
        Action<IServiceCollection>? services = null
    )
    {
        var driver = await AlertDriver.StartAsync(kind, settings, _clock, consoles, services);
        await using var db = driver.Database.Open();
        await Eventually.TrueAsync(() => db.Leases.Any(lease => lease.Name == NoticeRow), "the leader knows which flips are old");
        return driver;
    }

    private static Task FlipAsync(AlertDriver driver, bool enabled, string reason, string? @for = null, DateTimeOffset? at = null) =>
        FlipAsync(driver.Console, enabled, reason, @for, at);

    private static async Task FlipAsync(ConsoleHost console, bool enabled, string reason, string? @for = null, DateTimeOffset? at = null)
    {
        using var answer = await console.Http.PutAsJsonAsync(
            new Uri($"/api/flags/{FlagNames.AlertsAutoTicket}", UriKind.Relative),
            new
            {
                enabled,
                reason,
                @for,
                at,
            }
        );
        answer.EnsureSuccessStatusCode();
    }

    private static async Task CancelAsync(AlertDriver driver) =>
        Assert.Equal(
            FlagChangeResult.Changed,
            await driver.Console.Get<FlagWatch>().CancelScheduleAsync(FlagNames.AlertsAutoTicket, "developer", default)
        );

    private static async Task RestartAsync(AlertDriver driver, string environment)
    {
        await driver.StopAsync(driver.Console);
        await driver.StartConsoleAsync(new Dictionary<string, string?> { [FlagNames.AlertsAutoTicket] = environment });
    }

    private static AuditEntry Flip(string flag, DateTimeOffset at, bool after) =>
        new()
        {
            CreatedAt = at,
            Action = AuditActions.FlagChanged,
            Actor = "olga",
            Payload = JsonSerializer.Serialize(
                new
                {
                    flag,
                    before = !after,
                    after,
                    reason = "a flip",
                }
            ),
        };

    private Task ToldAsync(AlertDriver driver, int times) =>
        _clock.AdvanceUntilAsync(
            Step,
            () => Task.FromResult(Told(driver).Count == times),
            $"told {times} times",
            perStep: TimeSpan.FromMilliseconds(500)
        );

    private Task RemindedAsync(AlertDriver driver, int times) =>
        _clock.AdvanceUntilAsync(
            Step,
            () => Task.FromResult(Reminders(driver).Count == times),
            $"reminded {times} times",
            perStep: TimeSpan.FromMilliseconds(500)
        );

    /// <summary>Lets the leader look for reminders several times. After a leap of the clock it must first get its lease back.</summary>
    private async Task StepAsync(AlertDriver driver, int steps)
    {
        await _clock.AdvanceUntilAsync(
            Step,
            () => Task.FromResult(driver.Consoles.Any(console => console.Get<LeaderLease>().IsLeader)),
            "a console leads"
        );
        for (var step = 0; step < steps; step++)
        {
            _clock.Advance(Step);
            await driver.Console.Http.GetStringAsync(new Uri("/api/alerts", UriKind.Relative));
        }
    }

    /// <summary>The lines with whole hours, because the clock moves by some steps before a message is sent.</summary>
    private static string[] WithTimes(string text) =>
        [
            .. text.Split('\n')
                .Select(line => System.Text.RegularExpressions.Regex.Replace(line, ":[0-5][0-9]:[0-5][0-9] UTC", ":00:00 UTC")),
        ];

    private static List<string> Told(AlertDriver driver) =>
        Messages(driver, " until ").FindAll(text => !text.Contains(" have been off ", StringComparison.Ordinal));

    private static List<string> Reminders(AlertDriver driver) => Messages(driver, " have been off ");

    private static List<string> Messages(AlertDriver driver, string about) =>
        [
            .. driver
                .Sandbox.Slack.Messages.Select(message => message.Text)
                .Where(text =>
                    text.Contains("tickets for alerts", StringComparison.Ordinal) && text.Contains(about, StringComparison.Ordinal)
                ),
        ];
}
