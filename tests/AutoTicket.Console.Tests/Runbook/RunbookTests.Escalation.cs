using System.Text.Json;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Tests.Alerts;
using AutoTicket.Tests.Diagnostics;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests;

public static partial class RunbookTests
{
    /// <summary>The runbook's list of when to escalate.</summary>
    public sealed class Escalation
    {
        [Theory]
        [InlineData("flag_not_effective", 31)]
        [InlineData("key_invalid", 601)]
        [InlineData("freescout_down", 1801)]
        [InlineData("hook_missing", 0)]
        [InlineData("ghost_tickets", 0)]
        public async Task Each_condition_sends_the_operator_a_DM_and_the_diagnosis_proves_it(string condition, int seconds)
        {
            var clock = new StillClock();
            using var running = clock.Run();
            await using var console = await DiagnosedConsole.StartAsync(
                clock: clock,
                services: services =>
                {
                    if (condition == "hook_missing")
                    {
                        services.Remove(services.Single(service => service.ImplementationType == typeof(TicketAlertHook)));
                    }
                }
            );
            switch (condition)
            {
                case "flag_not_effective":
                    await InjectedFaultTests.DisagreeAsync(console.Database, clock.GetUtcNow());
                    break;
                case "key_invalid":
                    console.Sandbox.FreeScout.ApiKey = "another";
                    break;
                case "freescout_down":
                    console.Sandbox.Faults.Add(new(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 });
                    break;
                case "ghost_tickets":
                    await console.RaiseAsync(AlertDriver.Say());
                    await console.RaiseAsync(AlertDriver.Say("cpu_full"));
                    await Eventually.TrueAsync(async () => (await TicketsAsync(console)).Count == 2, "the tickets are filed and confirmed");
                    foreach (var conversation in console.Sandbox.FreeScout.Conversations)
                    {
                        console.Sandbox.FreeScout.DeleteForever(conversation.Id);
                    }

                    break;
            }

            await console.Host.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
            if (condition == "ghost_tickets")
            {
                // A consistency check that is already running misses the step of the clock, so advance until a check finds the ghost.
                await clock.AdvanceUntilAsync(
                    TimeSpan.FromMinutes(5),
                    async () => await StateAsync() == "told",
                    "the ghost is found",
                    TimeSpan.FromSeconds(5)
                );
            }

            if (seconds > 0)
            {
                await Eventually.TrueAsync(async () => await StateAsync() == "running", "the condition's timer is running");
                Assert.DoesNotContain(
                    console.Sandbox.Slack.Messages,
                    message => message.Text.Contains("escalation", StringComparison.Ordinal)
                );
                clock.Advance(TimeSpan.FromSeconds(seconds));
            }

            await Eventually.TrueAsync(async () => await StateAsync() == "told", "the operator was notified");
            var proof = await ClockAsync();
            var message = Assert.Single(
                console.Sandbox.Slack.Messages,
                message => message.Text.StartsWith("P1 FIRING · escalation", StringComparison.Ordinal)
            );
            Assert.Contains(proof.GetProperty("title").GetString()!, message.Text, StringComparison.Ordinal);
            Assert.Contains(proof.GetProperty("alert_key").GetString()!, message.Text, StringComparison.Ordinal);
            Assert.NotEqual(default, proof.GetProperty("told_at").GetDateTimeOffset());

            async Task<string?> StateAsync() => (await ClockAsync()).GetProperty("state").GetString();

            async Task<JsonElement> ClockAsync() =>
                (await console.AskAsync())
                    .GetProperty("escalations")
                    .EnumerateArray()
                    .Single(one => one.GetProperty("condition").GetString() == condition);
        }

        private static async Task<List<Ticket>> TicketsAsync(DiagnosedConsole console)
        {
            await using var db = console.Database.Open();
            return await db.Tickets.AsNoTracking().Where(ticket => ticket.ConfirmedAt != null).ToListAsync();
        }
    }
}
