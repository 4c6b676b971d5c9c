using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace AutoTicket.Tests.Tickets;

public sealed class InvestigateTests
{
    [Theory, BothDatabases]
    public async Task A_click_files_a_ticket_and_the_next_one_returns_it(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var sandbox = await AutoTicket.Sandbox.SandboxServer.StartAsync();
        sandbox.Surface("pay").Answer(503);
        await using var console = await ConsoleHost.StartAsync(
            database,
            sandbox,
            ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url)
        );
        await Eventually.TrueAsync(() => console.Get<StatusBoard>().Find("pay")!.Status == SurfaceStatus.Down, "the surface is down");
        await using var db = database.Open();
        await Eventually.TrueAsync(() => db.Alerts.AnyAsync(), "its incident is open");

        var first = await InvestigateAsync(console, "pay");
        var second = await InvestigateAsync(console, "pay");

        Assert.Equal("filed", first.GetProperty("disposition").GetString());
        Assert.Equal("already_open", second.GetProperty("disposition").GetString());
        Assert.Equal(first.GetProperty("ticket").GetProperty("id").GetInt64(), second.GetProperty("ticket").GetProperty("id").GetInt64());
        Assert.Equal(1, sandbox.FreeScout.CreatedCount);
        await Eventually.TrueAsync(() => sandbox.FreeScout.Conversations.Single().Tags.Contains("surface:pay"), "the tags are set");
        Assert.Equal(["auto:status", "sev:p2", "surface:pay"], sandbox.FreeScout.Conversations.Single().Tags.Order());
        var body = sandbox.FreeScout.Conversations.Single().Threads[^1].Body;
        Assert.Contains("<b>Last checks</b>", body, StringComparison.Ordinal);
        Assert.Contains(
            $"{(await db.Alerts.SingleAsync()).IncidentKey.Path}\">Incident in AutoTicket Console</a>",
            body,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_ticket_filed_by_a_click_is_shown_by_an_alert_that_is_below_the_threshold()
    {
        await using var driver = await InvestigateDriver.StartAsync(
            settings: new Dictionary<string, string?> { ["Surfaces:0:Severity"] = "P3" }
        );
        var ticket = (await driver.ClickAsync()).Ticket!;

        JsonElement alert = default;
        await Eventually.TrueAsync(
            async () =>
            {
                var answer = await driver.Console.Http.GetFromJsonAsync<JsonElement>(new Uri("/api/alerts?active=true", UriKind.Relative));
                alert = answer
                    .GetProperty("alerts")
                    .EnumerateArray()
                    .FirstOrDefault(one => one.GetProperty("surface").GetString() == InvestigateDriver.Surface);
                // The decision about the DM follows the ticket.
                return alert.GetProperty("verdict").GetString()
                    == $"Ticket #{ticket.Number}, filed by developer. No DM: P3 is below the threshold (P2).";
            },
            "the alert has the ticket"
        );

        Assert.Equal(ticket.Id, alert.GetProperty("ticket").GetProperty("id").GetInt64());
    }

    /// <summary>As from a page: its connection ends first, so the server waits for no answer.</summary>
    [Fact]
    public async Task A_click_under_way_when_the_console_ends_is_finished_and_recorded()
    {
        ActiveFault? slow = null;
        await using var driver = await InvestigateDriver.StartAsync(
            Database.Postgres,
            // Services stop in reverse: this one just before the one that waits for the click.
            services: services =>
                services.Insert(
                    services.IndexOf(services.Single(service => service.ServiceType == typeof(EffectsUnderWay))) + 2,
                    ServiceDescriptor.Singleton<IHostedService>(new AtTheEnd(() => slow?.Dispose()))
                )
        );
        await using var db = driver.Database.Open();
        // A decision takes a while to record.
        await db.Database.ExecuteSqlAsync(
            $"""
            CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END';
            CREATE TRIGGER slow BEFORE INSERT ON decisions FOR EACH ROW EXECUTE FUNCTION slow();
            """
        );
        slow = driver.Sandbox.Faults.Add(new Fault(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate });
        var click = driver.Console.Get<Investigator>().InvestigateAsync(InvestigateDriver.Surface, "mara");
        await Eventually.TrueAsync(() => driver.FreeScout.CreatesInFlight == 1, "it is posted");

        await driver.Console.StopAsync();

        Assert.True(click.IsCompletedSuccessfully, $"the click is {click.Status}");
        Assert.Equal(InvestigationDisposition.Filed, (await click).Disposition);
        Assert.Equal(DecisionWord.Filed, (await db.Decisions.SingleAsync(decision => decision.Path == DecisionSources.Click)).Word);
    }

    private sealed class AtTheEnd(Action act) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken)
        {
            act();
            return Task.CompletedTask;
        }
    }

    private static async Task<JsonElement> InvestigateAsync(ConsoleHost console, string surface)
    {
        var answer = await console.Http.PostAsync($"/api/surfaces/{surface}/investigate", null);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }
}
