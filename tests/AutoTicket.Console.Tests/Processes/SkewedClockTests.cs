using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Data;
using AutoTicket.Sandbox;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

/// <summary>Replicas whose wall clocks are an hour ahead or behind judge the window by the database's clock.</summary>
public sealed class SkewedClockTests
{
    [Fact]
    public async Task Replicas_with_clocks_an_hour_off_use_the_same_window()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var sandbox = await SandboxServer.StartAsync();
        sandbox.Surface("pay").Answer(503);
        var surface = ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url);
        await using var fast = await ConsoleHost.StartAsync(
            database,
            sandbox,
            surface,
            new DatabaseClock(new Skewed(TimeSpan.FromHours(1)))
        );
        await using var slow = await ConsoleHost.StartAsync(
            database,
            sandbox,
            surface,
            new DatabaseClock(new Skewed(TimeSpan.FromHours(-1)))
        );

        var filed = await InvestigateAsync(fast);
        Assert.Equal(("filed", filed.Ticket), filed);
        Assert.Equal(("already_open", filed.Ticket), await InvestigateAsync(slow));

        await AgeAsync(database, "55 minutes");
        Assert.Equal(("already_open", filed.Ticket), await InvestigateAsync(fast));
        Assert.Equal(("already_open", filed.Ticket), await InvestigateAsync(slow));

        await AgeAsync(database, "60 minutes 2 seconds");
        var next = await InvestigateAsync(slow);
        Assert.Equal("filed", next.Disposition);
        Assert.NotEqual(filed.Ticket, next.Ticket);
        Assert.Equal(("already_open", next.Ticket), await InvestigateAsync(fast));
        Assert.Equal(2, sandbox.FreeScout.CreatedCount);
    }

    [Fact]
    public async Task A_replica_that_starts_an_hour_ahead_while_the_database_is_away_does_not_take_the_lease()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var sandbox = await SandboxServer.StartAsync();
        await using var line = TcpProxy.To(database.Location);
        // A short lease is requested before the clock is set from the database, which takes a second.
        var settings = new Dictionary<string, string?> { ["Leader:Lease"] = "00:00:03" };
        await using var leader = await ConsoleHost.StartAsync(database, sandbox, settings);
        await Eventually.TrueAsync(() => leader.Get<LeaderLease>().IsLeader, "the first console leads");
        line.Cut();
        settings["DATABASE_URL"] = line.Through(database.Location);
        await using var fast = await ConsoleHost.StartAsync(
            database,
            sandbox,
            settings,
            new DatabaseClock(new Skewed(TimeSpan.FromHours(1)))
        );

        line.Restore();
        await Eventually.TrueAsync(() => !fast.Get<LeaderLease>().WasLeader, "the second console knows that another leads");

        Assert.DoesNotContain(leader.Log, line => line.Contains("leads no more", StringComparison.Ordinal));
        Assert.DoesNotContain(fast.Log, line => line.Contains("this process leads", StringComparison.Ordinal));
    }

    private static async Task<(string? Disposition, long Ticket)> InvestigateAsync(ConsoleHost console)
    {
        var answer = await (await console.Http.PostAsync("/api/surfaces/pay/investigate", null)).Content.ReadFromJsonAsync<JsonElement>();
        return (answer.GetProperty("disposition").GetString(), answer.GetProperty("ticket").GetProperty("id").GetInt64());
    }

    /// <summary>Sets the ticket's age by the database's clock.</summary>
    private static async Task AgeAsync(TestDatabase database, string age)
    {
        await using var db = database.Open();
        await db.Database.ExecuteSqlAsync(
            $"UPDATE tickets SET posted_at = clock_timestamp() - {age}::interval, confirmed_at = clock_timestamp() - {age}::interval"
        );
    }

    internal sealed class Skewed(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + by;
    }
}
