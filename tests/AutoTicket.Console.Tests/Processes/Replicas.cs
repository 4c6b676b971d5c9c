using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

/// <summary>Several consoles on one PostgreSQL. The leader stores each probe as a reading, so more probes than readings mean that a
/// second process probed.</summary>
public abstract class Replicas : IAsyncLifetime
{
    private protected static readonly Dictionary<string, string> NotifyingSettings = new()
    {
        ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
        ["Alerts__NotifySeverity"] = "P2",
        // A short quiet period, so that the DM of the recovery is sent soon after a flap.
        ["Alerts__QuietPeriod"] = "00:00:01",
    };

    private protected Consoles All { get; private set; } = null!;

    private protected SandboxSurface Pay => All.Sandbox.Surface("pay");

    private protected IReadOnlyList<string> DirectMessages => [.. All.Sandbox.Slack.Messages.Select(message => message.Text)];

    public async Task InitializeAsync()
    {
        All = await Consoles.CreateAsync("pay", "shop");
        Pay.Answer();
        All.Sandbox.Surface("shop").Answer();
    }

    public async Task DisposeAsync() => await All.DisposeAsync();

    /// <summary>Starts the consoles. The first one leads before the others start, and is a process, so that tests can kill, freeze or
    /// stop it.</summary>
    private protected async Task<(ConsoleProcess Leader, IReadOnlyList<ConsoleHost> Others)> StartAsync(
        int count,
        Dictionary<string, string>? settings = null
    )
    {
        var leader = await All.StartAsync(settings);
        await Eventually.TrueAsync(
            () => leader.Output.ToString().Contains("this process leads fence=", StringComparison.Ordinal),
            "the first process leads"
        );
        var others = new List<ConsoleHost>();
        while (others.Count < count - 1)
        {
            others.Add(await All.StartHostAsync(settings));
        }

        return (leader, others);
    }

    private protected static bool Leads(ConsoleHost console) => console.Get<LeaderLease>().IsLeader;

    private protected static async Task<string> StatusAsync(IConsole console, string surface) =>
        (await console.GetAsync("/api/status"))
            .Body.GetProperty("surfaces")
            .EnumerateArray()
            .Single(row => row.GetProperty("key").GetString() == surface)
            .GetProperty("status")
            .GetString()!;

    private protected static Task ShowsAsync(IConsole console, string status, TimeSpan within) =>
        Eventually.TrueAsync(async () => await StatusAsync(console, "pay") == status, $"pay is {status}", within);

    private protected static async Task<string> BoardAsync(IConsole console) => BoardOf((await console.GetAsync("/api/status")).Body);

    /// <summary>The surfaces that <c>GET /api/status</c> returns, without their tickets. The database keeps microseconds.</summary>
    internal static string BoardOf(System.Text.Json.JsonElement status) =>
        string.Join(
            '\n',
            status
                .GetProperty("surfaces")
                .EnumerateArray()
                .Select(row =>
                    string.Join(
                        ' ',
                        new[] { "key", "status", "since", "checked_at", "latency_ms", "cause", "flapping" }.Select(name =>
                            name is "since" or "checked_at" && row.GetProperty(name).ValueKind != System.Text.Json.JsonValueKind.Null
                                ? row.GetProperty(name)
                                    .GetDateTimeOffset()
                                    .ToUnixTimeMilliseconds()
                                    .ToString(System.Globalization.CultureInfo.InvariantCulture)
                                : row.GetProperty(name).ToString()
                        )
                    )
                )
        );

    private protected async Task<int> CountReadingsAsync()
    {
        await using var db = All.Database.Open();
        return await db.SurfaceReadings.CountAsync(reading => reading.SurfaceKey == "pay");
    }

    /// <summary>Waits until the given number of poll cycles is stored.</summary>
    private protected async Task WaitForCyclesAsync(int cycles)
    {
        var before = await CountReadingsAsync();
        await Eventually.TrueAsync(async () => await CountReadingsAsync() >= before + cycles, $"{cycles} more readings are stored");
    }

    /// <summary>Asserts that only one console probes. Each probe is a stored reading, except one probe and one write in flight, and one
    /// whose result each change of the leader may lose.</summary>
    private protected async Task AssertOneProbesAsync()
    {
        await WaitForCyclesAsync(3);
        // The poller runs during the count, so the number of probes lies between two counts of readings.
        var before = await CountReadingsAsync();
        var asked = Pay.RequestCount;
        Assert.InRange(asked, before, await CountReadingsAsync() + 2 + await CountChangesAsync(All.Database));
    }

    /// <summary>How often the leader changed.</summary>
    internal static async Task<int> CountChangesAsync(TestDatabase database)
    {
        await using var db = database.Open();
        return (int)await db.Leases.Where(lease => lease.Name == LeaderLease.Name).Select(lease => lease.Fence).SingleAsync() - 1;
    }

    private protected async Task<int> DeliveredAsync()
    {
        await using var db = All.Database.Open();
        return await db.AlertDeliveries.CountAsync();
    }

    /// <summary>Asserts one ticket, one DM for the outage and one for its recovery.</summary>
    private protected async Task AssertNotifiedOnceAsync()
    {
        await Eventually.TrueAsync(
            () => DirectMessages.Any(text => text.Contains("RECOVERED", StringComparison.Ordinal)),
            "the DM of the recovery is sent"
        );
        await WaitForCyclesAsync(3);
        Assert.Equal(2, DirectMessages.Count);
        Assert.Single(All.TicketsOf("pay"));
        Assert.Equal(1, All.PostsFor("pay"));
        await using var db = All.Database.Open();
        Assert.Equal(1, await db.Alerts.CountAsync(alert => alert.Surface == "pay"));
        Assert.Equal(TicketState.Open, (await db.Tickets.SingleAsync()).State);
    }
}
