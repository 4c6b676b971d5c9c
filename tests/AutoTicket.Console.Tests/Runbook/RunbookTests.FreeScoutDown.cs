using System.Net;
using AutoTicket.Sandbox;
using AutoTicket.Tests.Processes;

namespace AutoTicket.Tests;

public static partial class RunbookTests
{
    /// <summary>Failure mode 4: FreeScout is down.</summary>
    public sealed class FreeScoutDown
    {
        [Fact]
        [Trait("Pitfall", "T-31")]
        public async Task A_click_answers_degraded_and_the_greps_find_warnings_and_no_error()
        {
            await using var consoles = await Consoles.CreateAsync("pay", "mail");
            var console = await consoles.StartAsync(
                new Dictionary<string, string>(Consoles.Hasty.Concat(Forging))
                {
                    // The sandbox of a busy machine must not look like an outage.
                    ["FreeScout__CallTimeout"] = "00:00:30",
                }
            );
            Assert.Empty(LogLine.Grep(console.Output, Degraded));
            using (consoles.Sandbox.Faults.Add(new(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 }))
            {
                var answer = await console.InvestigateAsync("mail");
                Assert.Equal(HttpStatusCode.OK, answer.Status);
                Assert.True(answer.Body.GetProperty("degraded").GetBoolean());
            }

            // The answer may arrive before the lines of the log, which come through a pipe.
            await Eventually.TrueAsync(
                () =>
                    LogLine.Grep(console.Output, Degraded).Count > 0
                    && LogLine.Grep(console.Output, Errors).Any(line => line.Contains("503", StringComparison.Ordinal)),
                "the outage is in the log"
            );
            Assert.All(LogLine.Grep(console.Output, Degraded), line => Assert.Equal("WARNING", LogLine.Parse(line)!.Level));
            AssertNothingForged(console);

            // FreeScout recovers, and the surface that is still degraded gets its one ticket.
            await consoles.AssertOneTicketAsync("mail", console);
            LogLine.AssertNoErrors(console.Output.ToList());
        }

        [Fact]
        [Trait("Pitfall", "T-34")]
        public Task The_DM_fires_and_an_alert_that_is_still_active_gets_its_ticket_after_the_outage() =>
            AssertTheDmFiresWithoutATicketAsync(FaultKind.Status, "");
    }
}
