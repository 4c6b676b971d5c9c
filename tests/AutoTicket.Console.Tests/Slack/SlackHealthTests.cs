using AutoTicket.Slack;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Slack;

/// <summary>Several loops send messages at the same time and share one state of Slack.</summary>
public sealed class SlackHealthTests
{
    [Fact]
    public async Task Of_calls_that_end_at_the_same_time_each_change_of_the_state_is_raised_once()
    {
        var configured = Options.Create(new SlackOptions { BotToken = "xoxb", OperatorUserId = "U1" });
        var failure = new SlackFailure(SlackFailureKind.ServerError, "Slack answered 503.");
        for (var round = 0; round < 50; round++)
        {
            var health = new SlackHealth(TimeProvider.System, configured);
            var raised = 0;
            health.Changed += () => Interlocked.Increment(ref raised);

            await Task.WhenAll(Task.Run(() => Repeat(health.Sent)), Task.Run(() => Repeat(() => health.Failed(failure))));

            // It began as working. Each change turns that over.
            Assert.Equal(health.Failure is null, raised % 2 == 0);
        }

        static void Repeat(Action call)
        {
            for (var time = 0; time < 10_000; time++)
            {
                call();
            }
        }
    }
}
