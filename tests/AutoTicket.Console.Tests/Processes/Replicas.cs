using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

/// <summary>
/// Several consoles on one PostgreSQL. Each probe of the leader is a stored reading, so a surface that was asked no more often than
/// there are readings of it was asked by one process.
/// </summary>
public abstract class Replicas : IAsyncLifetime
{
    private protected static readonly Dictionary<string, string> Telling = new()
    {
        ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
        ["Alerts__NotifySeverity"] = "P2",
        // An end that is told at once also where the alert had flapped.
        ["Alerts__QuietPeriod"] = "00:00:01",
    };

    private protected Consoles All { get; private set; } = null!;

    private protected SandboxSurface Pay => All.Sandbox.Surface("pay");

    private protected IReadOnlyList<string> Told => [.. All.Sandbox.Slack.Messages.Select(message => message.Text)];

    public async Task InitializeAsync()
    {
        All = await Consoles.CreateAsync("pay", "shop");
        Pay.Answer();
        All.Sandbox.Surface("shop").Answer();
    }

    public async Task DisposeAsync() => await All.DisposeAsync();

    /// <summary>The first leads before the others start. It is a process, because it is killed, frozen or asked to end.</summary>
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

    private protected async Task<int> StoredAsync()
    {
        await using var db = All.Database.Open();
        return await db.SurfaceReadings.CountAsync(reading => reading.SurfaceKey == "pay");
    }

    /// <summary>Waits for so many cycles more.</summary>
    private protected async Task ReadAsync(int cycles)
    {
        var before = await StoredAsync();
        await Eventually.TrueAsync(async () => await StoredAsync() >= before + cycles, $"{cycles} more readings are stored");
    }

    /// <summary>At any moment a probe, and one reading, may be on its way.</summary>
    /// <param name="interrupted">Probes whose results were lost.</param>
    private protected async Task AssertOneAskedAsync(int interrupted = 0)
    {
        await ReadAsync(3);
        // Readings are stored while this counts: those stored before were asked for, and those asked for are stored after.
        var before = await StoredAsync();
        var asked = Pay.RequestCount;
        Assert.InRange(asked, before, await StoredAsync() + 2 + interrupted);
    }

    private protected async Task<int> DeliveredAsync()
    {
        await using var db = All.Database.Open();
        return await db.AlertDeliveries.CountAsync();
    }

    /// <summary>One ticket, one DM that it began and one that it is over.</summary>
    private protected async Task AssertToldOnceAsync()
    {
        await Eventually.TrueAsync(() => Told.Any(text => text.Contains("RECOVERED", StringComparison.Ordinal)), "the recovery is told");
        await ReadAsync(3);
        Assert.Equal(2, Told.Count);
        Assert.Single(All.TicketsOf("pay"));
        Assert.Equal(1, All.PostsFor("pay"));
        await using var db = All.Database.Open();
        Assert.Equal(1, await db.Alerts.CountAsync(alert => alert.Surface == "pay"));
        Assert.Equal(TicketState.Open, (await db.Tickets.SingleAsync()).State);
    }
}
