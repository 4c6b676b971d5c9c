using AutoTicket.Data;
using AutoTicket.Sandbox;
using AutoTicket.Tests.Kit;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Alerts;

/// <summary>The database is away when a surface goes down.</summary>
public sealed class DatabaseOutageAlertTests
{
    [Fact]
    public async Task The_operator_is_told_from_memory_once_and_the_episode_is_stored_when_it_is_back()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        sandbox.Surface("pay").Answer(200);
        var settings = ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url);
        settings["Status:PollInterval"] = "00:00:00.3";
        settings["DATABASE_URL"] = line.Through(database.Location);
        await using var console = await ConsoleHost.StartAsync(database, sandbox, settings);
        await Eventually.TrueAsync(() => console.Get<LeaderLease>().IsLeader, "it leads");

        line.Cut();
        sandbox.Surface("pay").Answer(503);
        await Eventually.TrueAsync(() => sandbox.Slack.Messages.Count == 1, "the operator is told");
        Assert.Contains("pay", sandbox.Slack.Messages[0].Text, StringComparison.Ordinal);
        line.Restore();

        await using var db = database.Open();
        await Eventually.TrueAsync(async () => await db.AlertDeliveries.AnyAsync(d => d.Hook == "slack"), "what was told is stored with the episode");
        sandbox.Surface("pay").Answer(200);
        await Eventually.TrueAsync(() => sandbox.Slack.Messages.Any(message => message.Text.Contains("RECOVERED", StringComparison.Ordinal)), "the recovery is told");
        Assert.Equal(2, sandbox.Slack.Messages.Count);
    }
}
