using System.Net;
using System.Net.Http.Json;
using AutoTicket.Audit;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Processes;
using AutoTicket.Tickets;

namespace AutoTicket.Tests;

public static partial class RunbookTests
{
    /// <summary>Failure mode 3: the surface recovered, its ticket is still open.</summary>
    public sealed class RecoveredButOpen
    {
        [Fact]
        [Trait("Pitfall", "T-11")]
        public async Task The_ticket_stays_open_until_a_person_resolves_it_and_then_the_surface_gets_a_fresh_one()
        {
            await using var sandbox = await SandboxServer.StartAsync();
            sandbox.Surface("pay").Answer(503);
            var settings = ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url);
            settings["Status:PollInterval"] = "00:00:00.5";
            await using var console = await ConsoleHost.StartAsync(sandbox: sandbox, settings: settings);
            var board = console.Get<StatusBoard>();
            var investigator = console.Get<Investigator>();
            var first = (await investigator.InvestigateAsync("pay", "ops")).Ticket!;

            sandbox.Surface("pay").Answer(200);
            await Eventually.TrueAsync(() => board.Find("pay")!.Status == SurfaceStatus.Operational, "the surface has recovered");
            Assert.True(sandbox.FreeScout.Find(first.Id)!.IsOpen);
            using var click = await console.Http.PostAsync("/api/surfaces/pay/investigate", null);
            Assert.Equal(HttpStatusCode.Conflict, click.StatusCode);

            sandbox.FreeScout.Close(first.Id);
            sandbox.Surface("pay").Answer(503);
            await Eventually.TrueAsync(() => board.Find("pay")!.Status == SurfaceStatus.Down, "the surface is down again");
            var second = await investigator.InvestigateAsync("pay", "ops");

            Assert.Equal(InvestigationDisposition.Filed, second.Disposition);
            Assert.NotEqual(first.Id, second.Ticket!.Id);
            Assert.False(sandbox.FreeScout.Find(first.Id)!.IsOpen);
        }

        [Fact]
        [Trait("Pitfall", "T-11")]
        public async Task The_console_marks_the_ticket_as_recovered_and_an_operator_resolves_it_there()
        {
            await using var consoles = await Consoles.CreateAsync("pay");
            var freeScout = consoles.Sandbox.FreeScout;
            var console = await consoles.StartHostAsync(
                new Dictionary<string, string> { ["Ticketing__RecoveredAfter"] = "00:00:00", ["Ticketing__ReconcileInterval"] = "00:00:01" }
            );
            long? ticket = null;
            await Eventually.TrueAsync(
                async () => (ticket = (await console.InvestigateAsync("pay")).Ticket) is not null,
                "a click files a ticket"
            );
            var first = ticket!.Value;
            consoles.Sandbox.Surface("pay").Answer(200);

            // The console marks the ticket and leaves it open.
            await Eventually.TrueAsync(
                async () =>
                    (await console.GetAsync("/api/tickets?state=open&tag=auto:status"))
                        .Body.GetProperty("tickets")[0]
                        .GetProperty("recovered")
                        .GetBoolean(),
                "the ticket is marked as recovered"
            );
            Assert.True(freeScout.Find(first)!.IsOpen);
            Assert.DoesNotContain(console.Log, line => line.Contains("ticket_resolved", StringComparison.Ordinal));

            var ids = JsonContent.Create(new { ids = new[] { first } });
            var answer = await console.AskAsync(HttpMethod.Post, "/api/tickets/resolve", ids);
            Assert.Equal("resolved", answer.Body.GetProperty("results")[0].GetProperty("result").GetString());
            Assert.Equal("closed", freeScout.Find(first)!.Status);
            var note = freeScout.Find(first)!.Threads.Single(thread => thread.Type == "note").Body;
            Assert.Contains("has been operational since", note, StringComparison.Ordinal);
            var resolved = Assert.Single(
                console.Log,
                line => line.Contains($"ticket_resolved conversation={first} surface=pay by=", StringComparison.Ordinal)
            );
            Assert.StartsWith("INFO ", resolved, StringComparison.Ordinal);
            var audit = (await console.GetAsync($"/api/audit.csv?action={AuditActions.TicketResolved}")).Text;
            Assert.Contains(AuditActions.TicketResolved, audit, StringComparison.Ordinal);

            // A resolved ticket is not open: the next degradation gets a fresh one, inside the window.
            consoles.Sandbox.Surface("pay").Answer(503);
            await Eventually.TrueAsync(
                async () => (await console.InvestigateAsync("pay")) is { Ticket: { } second } && second != first,
                "a click files a fresh ticket"
            );
            Assert.False(freeScout.Find(first)!.IsOpen);
            Assert.Equal(2, freeScout.CreatedCount);
        }
    }
}
