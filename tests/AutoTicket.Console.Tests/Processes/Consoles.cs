using System.Collections.Concurrent;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

/// <summary>Console processes that share a PostgreSQL database and a sandbox. A busy machine makes no call late, unless a test chooses
/// <see cref="Hasty"/>. Disposing fails the test on any ERROR line.</summary>
public sealed class Consoles : IAsyncDisposable
{
    /// <summary>How long a killed or frozen leader still holds the lease.</summary>
    public static readonly TimeSpan LeaderLease = TimeSpan.FromSeconds(10);

    /// <summary>With <see cref="Hasty"/>: how long a post whose answer was lost is looked up before it may be repeated.</summary>
    public static readonly TimeSpan HastyGrace = TimeSpan.FromSeconds(4);

    /// <summary>For tests in which an answer or a process is lost: its claim is taken over within seconds. On a busy machine a click may
    /// then answer "degraded".</summary>
    public static readonly IReadOnlyDictionary<string, string> Hasty = new Dictionary<string, string>
    {
        ["Leader__Lease"] = "00:00:04",
        ["Ticketing__ClickBudget"] = "00:00:04",
        ["Ticketing__Lease"] = "00:00:06",
        ["Ticketing__Grace"] = HastyGrace.ToString("c"),
        ["FreeScout__CallTimeout"] = "00:00:03",
    };

    private readonly ConcurrentQueue<ConsoleProcess> _started = new();
    private readonly ConcurrentQueue<ConsoleHost> _hosts = new();
    private readonly IReadOnlyList<string> _surfaces;

    private Consoles(TestDatabase database, SandboxServer sandbox, IReadOnlyList<string> surfaces) =>
        (Database, Sandbox, _surfaces) = (database, sandbox, surfaces);

    public TestDatabase Database { get; }

    public SandboxServer Sandbox { get; }

    /// <param name="surfaces">Keys of surfaces that answer 503.</param>
    public static async Task<Consoles> CreateAsync(params IReadOnlyList<string> surfaces)
    {
        var sandbox = await SandboxServer.StartAsync();
        foreach (var surface in surfaces)
        {
            sandbox.Surface(surface).Answer(503);
        }

        return new Consoles(await TestDatabase.CreateAsync(Kit.Database.Postgres), sandbox, surfaces);
    }

    /// <param name="settings">Add to or override the common settings.</param>
    public async Task<ConsoleProcess> StartAsync(IReadOnlyDictionary<string, string>? settings = null)
    {
        var console = await ConsoleProcess.StartAsync(Settings(settings));
        _started.Enqueue(console);
        return console;
    }

    /// <summary>Starts a console in the test process, at a tenth of the cost. Use it for a console that is not killed or frozen.</summary>
    internal async Task<ConsoleHost> StartHostAsync(IReadOnlyDictionary<string, string>? settings = null)
    {
        var all = Settings(settings);
        var console = await ConsoleHost.StartAsync(
            Database,
            Sandbox,
            ConsoleHost.SettingsOf(all),
            environment: all["ASPNETCORE_ENVIRONMENT"]
        );
        _hosts.Enqueue(console);
        return console;
    }

    public Dictionary<string, string> Settings(IReadOnlyDictionary<string, string>? settings = null)
    {
        var all = CommonSettings(Sandbox);
        foreach (
            var (name, value) in Database.Settings.Concat(Watched(Sandbox, _surfaces)).Concat(settings ?? new Dictionary<string, string>())
        )
        {
            all[name] = value;
        }

        return all;
    }

    /// <summary>Settings of a console in Development that uses the sandbox and has the Investigate flag on.</summary>
    public static Dictionary<string, string> CommonSettings(SandboxServer sandbox)
    {
        var settings = sandbox
            .ConsoleSettings()
            .ToDictionary(pair => pair.Key.Replace(":", "__", StringComparison.Ordinal), pair => pair.Value!);
        foreach (
            var (name, value) in new Dictionary<string, string>
            {
                ["ASPNETCORE_ENVIRONMENT"] = "Development",
                ["Sandbox__Enabled"] = "false",
                ["FLAG_CONSOLE_INVESTIGATE_FROM_STATUS"] = "1",
                ["Status__PollInterval"] = "00:00:01",
                // Surface alerts stay below the threshold, so that only clicks file tickets.
                ["Alerts__NotifySeverity"] = "P1",
                ["Leader__Lease"] = LeaderLease.ToString("c"),
                ["Ticketing__ClickBudget"] = "00:00:20",
                ["Ticketing__Lease"] = "00:00:30",
                ["Ticketing__Grace"] = "00:00:20",
                ["Ticketing__LookupSpacing"] = "00:00:00.2",
                ["Ticketing__SyncInterval"] = "00:00:01",
                ["FreeScout__CallTimeout"] = "00:00:20",
                ["FreeScout__BreakDuration"] = "00:00:00.5",
            }
        )
        {
            settings[name] = value;
        }

        return settings;
    }

    public static Dictionary<string, string> Watched(SandboxServer sandbox, IReadOnlyList<string> surfaces) =>
        // The limit is long, so that a busy machine doesn't make a surface slow.
        surfaces
            .SelectMany(
                (key, n) =>
                    new Dictionary<string, string?>(ConsoleHost.SurfaceSettings(n, key, sandbox.Surface(key).Url))
                    {
                        [$"Surfaces:{n}:SlowAfter"] = "00:00:15",
                    }
            )
            .ToDictionary(pair => pair.Key.Replace(":", "__", StringComparison.Ordinal), pair => pair.Value!);

    /// <summary>The surface's tickets in FreeScout, filed by any console.</summary>
    public IReadOnlyList<SandboxConversation> TicketsOf(string surface) =>
        [
            .. Sandbox.FreeScout.Conversations.Where(conversation =>
                conversation.Subject.Contains($"Surface {surface} is ", StringComparison.Ordinal)
            ),
        ];

    /// <summary>How many create requests FreeScout got for the surface.</summary>
    public int PostsFor(string surface) => PostTimesFor(surface).Count;

    /// <summary>When FreeScout got a create request for the surface.</summary>
    public IReadOnlyList<DateTimeOffset> PostTimesFor(string surface) =>
        [
            .. Sandbox
                .FreeScout.RecordedRequests.Where(request =>
                    request.Method == "POST" && request.Body.Contains($"Surface {surface} is ", StringComparison.Ordinal)
                )
                .Select(request => request.At),
        ];

    /// <summary>The number of audit rows for the surface's filings.</summary>
    public async Task<int> FilingsAuditedAsync(string surface)
    {
        await using var db = Database.Open();
        return await db.AuditLog.CountAsync(entry =>
            entry.Action == Audit.AuditActions.InvestigateFiled
            && EF.Functions.JsonContains(entry.Payload, $$"""{"surface":"{{surface}}"}""")
        );
    }

    /// <summary>Asserts exactly one ticket and one audit row, and that a later click on each console returns that ticket.</summary>
    internal async Task AssertOneTicketAsync(string surface, params IConsole[] consoles)
    {
        foreach (var console in consoles)
        {
            await Eventually.TrueAsync(
                async () => await console.InvestigateAsync(surface) is { Ticket: { } id } && id == TicketsOf(surface).Single().Id,
                $"a later click for {surface} finds its ticket"
            );
        }

        var ticket = Assert.Single(TicketsOf(surface));
        Assert.True(ticket.IsOpen);
        Assert.Equal(1, await FilingsAuditedAsync(surface));
    }

    public async ValueTask DisposeAsync()
    {
        var lines = _started.SelectMany(console => console.Output.ToList().Concat(console.Errors.ToList())).ToList();
        foreach (var console in _started)
        {
            await console.DisposeAsync();
        }

        foreach (var host in _hosts)
        {
            await host.DisposeAsync();
        }

        await Sandbox.DisposeAsync();
        await Database.DisposeAsync();
        LogLine.AssertNoErrors(lines);
    }
}
