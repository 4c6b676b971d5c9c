using AutoTicket.Alerts;
using AutoTicket.Sandbox;
using AutoTicket.Tests.Kit;

namespace AutoTicket.Tests.Alerts;

/// <summary>A console that is stopped, as at each deployment, while calls with an effect are in progress.</summary>
public sealed class EndingConsoleTests
{
    /// <summary>Long enough that the stop request arrives during the call.</summary>
    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(1.5);

    private static FaultMatch Notes => new("POST", FreeScoutStandIn.ApiPath + "/conversations/*/threads", Whole: true);

    [Fact]
    public async Task A_message_and_a_note_in_progress_are_finished_at_the_stop_and_not_repeated()
    {
        await using var driver = await AlertDriver.StartAsync();
        await driver.RaiseAsync(AlertDriver.Say());
        await driver.EventuallyTicketsAsync(1);
        await driver.EventuallySettledAsync();
        var message = driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Delay)
            {
                Match = FaultMatch.SlackPost,
                Delay = Slow,
                Times = 1,
            }
        );
        var note = driver.Sandbox.Faults.Add(
            new Fault(FaultKind.Delay)
            {
                Match = Notes,
                Delay = Slow,
                Times = 1,
            }
        );

        await driver.RaiseAsync(AlertDriver.Say(firing: false));
        await Eventually.TrueAsync(() => message.Hits == 1 && note.Hits == 1, "the message and the note are in progress");
        await driver.StopAsync(driver.Console);
        Assert.Equal(2, (await driver.DeliveriesAsync()).Count(delivery => delivery.Kind == DeliveryKind.Ended));

        await driver.StartConsoleAsync();
        await driver.EventuallySettledAsync();

        Assert.Equal(2, driver.Sandbox.Slack.Messages.Count);
        Assert.Single(driver.FreeScout.Conversations.Single().Threads, thread => thread.Type == "note");
    }
}
