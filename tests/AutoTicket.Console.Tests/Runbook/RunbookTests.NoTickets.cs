using System.Net;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests;

public static partial class RunbookTests
{
    /// <summary>Failure mode 2: no tickets appear, or a click on Investigate files none.</summary>
    public sealed class NoTickets
    {
        [Theory]
        [InlineData(FaultKind.Unauthorized, "401")]
        [InlineData(FaultKind.Forbidden, "403")]
        [InlineData(FaultKind.ModuleOff, "404")]
        [Trait("Pitfall", "T-34")]
        public async Task A_click_that_files_nothing_says_which_step_of_the_chain_failed(FaultKind fault, string status)
        {
            await using var sandbox = await SandboxServer.StartAsync();
            sandbox.Surface("pay").Answer(503);
            await using var console = await ConsoleHost.StartAsync(
                sandbox: sandbox,
                settings: ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url)
            );
            using var failing = sandbox.Faults.Add(new(fault) { Match = FaultMatch.FreeScout });

            var answer = await console.Http.PostAsync("/api/surfaces/pay/investigate", null);

            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            var text = await answer.Content.ReadAsStringAsync();
            Assert.Contains("\"degraded\":true", text, StringComparison.Ordinal);
            Assert.Contains(status, text, StringComparison.Ordinal);
            Assert.Contains(
                console.Log,
                line => line.StartsWith("WARNING", StringComparison.Ordinal) && line.Contains(status, StringComparison.Ordinal)
            );
        }

        [Theory]
        [InlineData(FaultKind.Unauthorized, "degraded: key_rejected")]
        [InlineData(FaultKind.Forbidden, "degraded: scope_missing")]
        [Trait("Pitfall", "T-34")]
        public Task While_FreeScout_rejects_the_key_the_DM_fires_and_the_alert_says_why_it_has_no_ticket(FaultKind kind, string why) =>
            AssertTheDmFiresWithoutATicketAsync(kind, why);
    }
}
