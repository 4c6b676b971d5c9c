using AutoTicket.Alerts;
using AutoTicket.Sandbox;
using AutoTicket.Tests.Kit;

namespace AutoTicket.Tests.Alerts;

/// <summary>Changes that don't affect an alert's identity, so that it keeps its ticket.</summary>
public sealed class SameAlertTests
{
    [Theory, BothDatabases, Trait("Pitfall", "T-3")]
    public async Task An_edited_surface_keeps_its_open_ticket(Database kind)
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(kind);
        sandbox.Surface("pay").Answer(503);
        sandbox.Surface("moved").Answer(500);
        var settings = new Dictionary<string, string?>(ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url))
        {
            ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
            ["Status:PollInterval"] = "00:00:00.3",
        };
        await using (await ConsoleHost.StartAsync(database, sandbox, settings))
        {
            await SettledAsync(1);
        }

        settings["Surfaces:0:Name"] = "Payments, renamed";
        settings["Surfaces:0:Group"] = "Another group";
        settings["Surfaces:0:Url"] = sandbox.Surface("moved").Url.AbsoluteUri;
        settings["Surfaces:0:Timeout"] = "00:00:03";
        await using var console = await ConsoleHost.StartAsync(database, sandbox, settings);
        await Eventually.TrueAsync(() => sandbox.Surface("moved").RequestCount > 3, "the edited surface was polled");
        using var click = await console.Http.PostAsync("/api/surfaces/pay/investigate", null);
        Assert.Contains("already_open", await click.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        sandbox.Surface("moved").Answer(200);
        await Eventually.TrueAsync(
            () => sandbox.FreeScout.Conversations.Single().Threads.Any(thread => thread.Type == "note"),
            "the recovery is noted on the same ticket"
        );
        Assert.Equal(1, sandbox.FreeScout.CreatedCount);
        await SettledAsync(1);

        async Task SettledAsync(int episodes)
        {
            await Eventually.TrueAsync(
                async () =>
                {
                    await using var db = database.Open();
                    return db.Alerts.ToList() is { } alerts
                        && alerts.Count == episodes
                        && alerts.TrueForAll(alert => alert.Surface == "pay")
                        && !db.AlertOutbox.Any();
                },
                $"{episodes} episodes are settled"
            );
        }
    }

    [Theory, BothDatabases, Trait("Pitfall", "T-17")]
    public async Task Severity_and_volatile_labels_do_not_matter_when_an_alert_ends(Database kind)
    {
        await using var intake = await IntakeHost.StartAsync(
            kind,
            new Dictionary<string, string?> { ["Alerts:VolatileLabels"] = "pod", ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1" }
        );
        var freeScout = intake.Console.Sandbox.FreeScout;
        await SendAsync("firing", "critical", "pod-1");
        await SendAsync("firing", "high", "pod-2");
        await Eventually.TrueAsync(() => freeScout.Conversations.Count == 1, "the alert has a ticket");

        await SendAsync("resolved", "critical", "pod-1");
        Assert.Equal(AlertStatus.Firing, (await AlertAsync()).Status);
        await SendAsync("resolved", "high", "pod-2");

        Assert.Equal(AlertStatus.Resolved, (await AlertAsync()).Status);
        await Eventually.TrueAsync(
            () => freeScout.Conversations.Single().Threads.Any(thread => thread.Body.Contains("Recovered", StringComparison.Ordinal)),
            "the recovery is noted on the ticket"
        );
        Assert.Equal(1, freeScout.CreatedCount);

        async Task SendAsync(string status, string severity, string pod)
        {
            var (code, _) = await intake.PostAsync(
                "/api/alerts",
                $$$"""
                {"name":"errors","summary":"Too many errors","severity":"{{{severity}}}","status":"{{{status}}}",
                 "labels":{"job":"api","pod":"{{{pod}}}"}}
                """
            );
            Assert.Equal(System.Net.HttpStatusCode.Accepted, code);
        }

        async Task<Alert> AlertAsync()
        {
            await using var db = intake.Database.Open();
            return Assert.Single(await Task.FromResult(db.Alerts.ToList()));
        }
    }
}
