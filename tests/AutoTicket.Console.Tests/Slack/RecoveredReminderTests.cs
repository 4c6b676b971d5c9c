using AutoTicket.Mailbox;
using AutoTicket.Surfaces;

namespace AutoTicket.Tests.Slack;

/// <summary>The daily reminder of open tickets whose surface has recovered.</summary>
public sealed class RecoveredReminderTests
{
    /// <summary>Longer than the poll interval with its jitter.</summary>
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(40);

    private readonly StillClock _clock = new();

    [Theory, BothDatabases]
    public async Task The_reminder_is_sent_once_a_day_across_restarts_and_lists_the_tickets(Database kind)
    {
        // The clock starts at noon.
        var remindAt = _clock.GetUtcNow() + TimeSpan.FromMinutes(12);
        await using var driver = await InvestigateDriver.StartAsync(kind, Settings("12:12:00"), _clock, surfaces: ["pay", "shop"]);
        var pay = (await driver.ClickAsync("pay")).Ticket!;
        var shop = (await driver.ClickAsync("shop")).Ticket!;
        driver.Sandbox.Surface("pay").Answer(200);
        driver.Sandbox.Surface("shop").Answer(200);
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(30),
            () => Task.FromResult(driver.Console.Get<RecoveredTickets>().Current.Count == 2),
            "both have recovered"
        );
        Assert.Empty(Reminders(driver));

        // Every surface must be polled before the next step; a stale one would be missing from the reminder.
        await _clock.AdvanceUntilAsync(
            Step,
            () => Task.FromResult(_clock.GetUtcNow() >= remindAt && AreProbed(driver)),
            "the time of the reminder has come",
            isFollowed: () => _clock.GetUtcNow() < remindAt && AreProbed(driver)
        );
        await EventuallyRemindedAsync(driver, 1);
        var lines = Assert.Single(Reminders(driver)).Split('\n');
        Assert.Equal("2 tickets are open though their surfaces have recovered:", lines[0]);
        Assert.Contains(
            lines,
            line => line.StartsWith($"#{pay.Number} Surface pay, operational since 2026-11-23 12:", StringComparison.Ordinal)
        );
        Assert.Contains(
            lines,
            line => line.StartsWith($"#{shop.Number} Surface shop, operational since 2026-11-23 12:", StringComparison.Ordinal)
        );
        Assert.Equal($"Resolve them: <{driver.Console.Address}console/tickets>", lines[^1]);

        await driver.StopConsoleAsync();
        await driver.StartConsoleAsync();
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(30),
            () => Task.FromResult(driver.Console.Get<RecoveredTickets>().Current.Count == 2),
            "the new console lists both tickets"
        );
        for (var minutes = 0; minutes < 10; minutes++)
        {
            _clock.Advance(TimeSpan.FromSeconds(30));
            await driver.TicketsAsync();
        }

        Assert.Single(Reminders(driver));

        _clock.Advance(TimeSpan.FromHours(24));
        await EventuallyRemindedAsync(driver, 2);
    }

    [Fact]
    public async Task Without_tickets_no_reminder_is_sent_and_a_failed_one_is_sent_later()
    {
        await using var driver = await InvestigateDriver.StartAsync(settings: Settings("12:01:00"), clock: _clock, surfaces: ["pay"]);
        var ticket = (await driver.ClickAsync("pay")).Ticket!;
        for (var times = 0; times < 6; times++)
        {
            _clock.Advance(TimeSpan.FromSeconds(30));
            await driver.TicketsAsync();
        }

        Assert.Empty(Reminders(driver));

        var down = driver.Sandbox.Faults.Add(
            new AutoTicket.Sandbox.Fault(AutoTicket.Sandbox.FaultKind.Status)
            {
                Match = AutoTicket.Sandbox.FaultMatch.Slack,
                StatusCode = 503,
            }
        );
        driver.Sandbox.Surface("pay").Answer(200);
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(30),
            () => Task.FromResult(driver.Console.Get<RecoveredTickets>().Current.Count == 1 && down.Hits > 0),
            "the surface has recovered and Slack was called"
        );
        Assert.Empty(Reminders(driver));
        down.Dispose();

        await EventuallyRemindedAsync(driver, 1);
        Assert.Contains(
            $"1 ticket is open though its surface has recovered:\n#{ticket.Number} Surface pay",
            Reminders(driver)[0],
            StringComparison.Ordinal
        );
        Assert.True(driver.FreeScout.Find(ticket.Id)!.IsOpen, "nothing closes by itself");
    }

    [Fact]
    public async Task A_reminder_whose_answer_was_lost_is_not_sent_again_that_day()
    {
        var settings = Settings("12:01:00");
        // Below the threshold, so that no other DM is sent.
        settings["Surfaces:0:Severity"] = "P3";
        await using var driver = await InvestigateDriver.StartAsync(settings: settings, clock: _clock, surfaces: ["pay"]);
        await driver.ClickAsync("pay");
        var lost = driver.Sandbox.Faults.Add(
            new AutoTicket.Sandbox.Fault(AutoTicket.Sandbox.FaultKind.CloseAfter)
            {
                Match = AutoTicket.Sandbox.FaultMatch.SlackPost,
                Times = 1,
            }
        );
        driver.Sandbox.Surface("pay").Answer(200);
        await _clock.AdvanceUntilAsync(
            Step,
            () => Task.FromResult(lost.Hits == 1),
            "the reminder was sent and its answer lost",
            TimeSpan.FromSeconds(10),
            isFollowed: () => AreProbed(driver) && driver.Console.Get<RecoveredTickets>().Current.Count == 0
        );

        for (var minutes = 0; minutes < 5; minutes++)
        {
            _clock.Advance(TimeSpan.FromMinutes(1));
            await driver.TicketsAsync();
        }

        Assert.Single(Reminders(driver));
    }

    // A long pause, because a step of the clock makes a Slack call in progress time out; the console would repeat it.
    private Task EventuallyRemindedAsync(InvestigateDriver driver, int times) =>
        _clock.AdvanceUntilAsync(
            Step,
            () => Task.FromResult(Reminders(driver).Count == times),
            $"reminded {times} times",
            TimeSpan.FromSeconds(10),
            isFollowed: () => AreProbed(driver) && driver.Console.Get<RecoveredTickets>().Current.Count == 0
        );

    private bool AreProbed(InvestigateDriver driver) =>
        driver.Console.Get<StatusBoard>().All().All(surface => surface.CheckedAt > _clock.GetUtcNow() - Step);

    private static Dictionary<string, string?> Settings(string at) =>
        new() { ["Slack:RemindAt"] = at, ["Ticketing:RecoveredAfter"] = "00:01:00" };

    private static List<string> Reminders(InvestigateDriver driver) =>
        [
            .. driver
                .Sandbox.Slack.Messages.Select(message => message.Text)
                .Where(text => text.Contains("open though", StringComparison.Ordinal)),
        ];
}
