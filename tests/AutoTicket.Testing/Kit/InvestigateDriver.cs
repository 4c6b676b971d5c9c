using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Kit;

/// <summary>The response to a click on Investigate.</summary>
internal sealed record Click(string Disposition, bool Degraded, TicketLink? Ticket, string Message);

/// <summary>Clicks on Investigate in one or more consoles that share a database, a FreeScout and surfaces that are down.</summary>
internal sealed class InvestigateDriver : IAsyncDisposable
{
    public const string Surface = "pay";
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
    };

    private readonly List<ConsoleHost> _consoles = [];
    private readonly Dictionary<string, string?> _settings;
    private readonly Action<IServiceCollection>? _services;

    private InvestigateDriver(
        TestDatabase database,
        SandboxServer sandbox,
        StillClock? clock,
        Dictionary<string, string?> settings,
        Action<IServiceCollection>? services
    )
    {
        (Database, Sandbox, Clock, _settings, _services) = (database, sandbox, clock!, settings, services);
    }

    public TestDatabase Database { get; }

    public SandboxServer Sandbox { get; }

    public FreeScoutStandIn FreeScout => Sandbox.FreeScout;

    /// <summary>The clock of the consoles and the sandbox, if the test passed one.</summary>
    public StillClock Clock { get; }

    public ConsoleHost Console => _consoles[^1];

    /// <summary>Matches requests for one conversation by its id.</summary>
    public static FaultMatch OneConversation => new("GET", FreeScoutStandIn.ApiPath + "/conversations/*", Whole: true);

    public IReadOnlyList<RecordedRequest> Creates => Requests("POST", "/conversations");

    public IReadOnlyList<RecordedRequest> Lists => Requests("GET", "/conversations");

    /// <summary>One request of each comparison with FreeScout. A sync asks for the changes of seconds, a comparison for those of
    /// days.</summary>
    public IReadOnlyList<RecordedRequest> Comparisons =>
        [
            .. Lists.Where(list =>
                list.Query("tag") == TicketTags.Alert
                && DateTimeOffset.TryParse(list.Query("updatedSince"), CultureInfo.InvariantCulture, out var since)
                && list.At - since > TimeSpan.FromDays(1)
            ),
        ];

    public IReadOnlyList<RecordedRequest> Requests(string method, string path) =>
        [.. FreeScout.RecordedRequests.Where(request => request.Method == method && request.Path == FreeScoutStandIn.ApiPath + path)];

    /// <param name="clock">Null: everything runs in real time.</param>
    /// <param name="surfaces">Keys of surfaces that respond 503. Null: only <see cref="Surface"/>.</param>
    /// <param name="services">Changes the service registrations of each console.</param>
    public static async Task<InvestigateDriver> StartAsync(
        Database kind = Kit.Database.Sqlite,
        IReadOnlyDictionary<string, string?>? settings = null,
        StillClock? clock = null,
        int consoles = 1,
        IReadOnlyList<string>? surfaces = null,
        Action<IServiceCollection>? services = null
    )
    {
        var sandbox = await SandboxServer.StartAsync(new SandboxSettings { Clock = clock ?? TimeProvider.System });
        var all = new Dictionary<string, string?> { ["FreeScout:RetryDelay"] = "00:00:00.02" };
        foreach (var (key, index) in (surfaces ?? [Surface]).Select((key, index) => (key, index)))
        {
            sandbox.Surface(key).Answer(503);
            foreach (var (name, value) in ConsoleHost.SurfaceSettings(index, key, sandbox.Surface(key).Url))
            {
                all[name] = value;
            }
        }

        foreach (var (name, value) in settings ?? new Dictionary<string, string?>())
        {
            all[name] = value;
        }

        var driver = new InvestigateDriver(await TestDatabase.CreateAsync(kind), sandbox, clock, all, services);
        for (var console = 0; console < consoles; console++)
        {
            await driver.StartConsoleAsync();
        }

        // An earlier click would find the flag off, or file a ticket whose surface is still unknown.
        foreach (var console in driver._consoles)
        {
            await console.WaitForFlagsAsync();
            var board = console.Get<StatusBoard>();
            await Eventually.TrueAsync(
                () => board.All().All(surface => surface.Status == SurfaceStatus.Down),
                "each console knows that the surfaces are down"
            );
        }

        return driver;
    }

    /// <summary>Starts another console, which becomes <see cref="Console"/>.</summary>
    public async Task StartConsoleAsync() =>
        _consoles.Add(await ConsoleHost.StartAsync(Database, Sandbox, _settings, Clock, services: _services));

    /// <summary>Waits for the first sync and comparison, so that a fault added afterwards can't make them open the circuit.</summary>
    public async Task WaitForFirstSyncAsync()
    {
        await using var db = Database.Open();
        await Eventually.TrueAsync(
            () => db.TicketSync.AnyAsync(sync => sync.SyncedAt != null && sync.ReconciledAt != null),
            "the first sync and comparison are done"
        );
    }

    public async Task StopConsoleAsync()
    {
        await Console.DisposeAsync();
        _consoles.RemoveAt(_consoles.Count - 1);
    }

    /// <param name="console">Index of the console to click on.</param>
    public async Task<Click> ClickAsync(string surface = Surface, int console = 0)
    {
        for (var again = 0; ; again++)
        {
            using var answer = await _consoles[console]
                .Http.PostAsync(new Uri($"/api/surfaces/{surface}/investigate", UriKind.Relative), null);
            if (answer.StatusCode == HttpStatusCode.ServiceUnavailable && again < 20)
            {
                // PostgreSQL on a busy machine may take longer than a click's timeout. The response asks the user to try again.
                continue;
            }

            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            return (await answer.Content.ReadFromJsonAsync<Click>(Json))!;
        }
    }

    /// <summary>Clicks until a click returns a ticket; returns that response.</summary>
    /// <param name="advance">How far the clock moves before each click.</param>
    public async Task<Click> ClickUntilThereIsATicketAsync(TimeSpan? advance = null, string surface = Surface, int console = 0)
    {
        Click? last = null;
        await Eventually.TrueAsync(
            async () =>
            {
                if (advance is { } step)
                {
                    Clock.Advance(step);
                }

                last = await ClickAsync(surface, console);
                return !last.Degraded;
            },
            "a click gives a ticket",
            // After a lost answer, the claim is free again once its lease and the grace period have passed (Ticketing:Grace).
            2 * Eventually.Patience
        );
        return last!;
    }

    public async Task<JsonElement> TicketsAsync() =>
        await Console.Http.GetFromJsonAsync<JsonElement>(new Uri("/api/tickets?state=open&tag=auto:status", UriKind.Relative));

    public async Task<IReadOnlyList<long>> ListedAsync() =>
        [.. (await TicketsAsync()).GetProperty("tickets").EnumerateArray().Select(ticket => ticket.GetProperty("id").GetInt64()).Order()];

    /// <summary>Payloads of the audit rows about a filing.</summary>
    public async Task<IReadOnlyList<JsonElement>> FilingsAsync()
    {
        await using var db = Database.Open();
        return
        [
            .. (
                await db
                    .AuditLog.AsNoTracking()
                    .Where(entry => entry.Action == AuditActions.InvestigateFiled)
                    .OrderBy(entry => entry.Id)
                    .ToListAsync()
            ).Select(entry => JsonSerializer.Deserialize<JsonElement>(entry.Payload)),
        ];
    }

    public async Task<IReadOnlyList<Ticket>> RowsAsync()
    {
        await using var db = Database.Open();
        return await db.Tickets.AsNoTracking().OrderBy(ticket => ticket.Id).ToListAsync();
    }

    /// <summary>Asserts that FreeScout holds one ticket, that one POST created it, and that one audit row records it.</summary>
    public async Task<JsonElement> AssertOneTicketAsync()
    {
        var conversation = Assert.Single(FreeScout.Conversations);
        Assert.Equal(1, FreeScout.CreatedCount);
        var filing = Assert.Single(await FilingsAsync());
        Assert.Equal(conversation.Id, filing.GetProperty("conversation_id").GetInt64());
        return filing;
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            foreach (var console in _consoles)
            {
                await console.DisposeAsync();
            }
        }
        finally
        {
            await Sandbox.DisposeAsync();
            await Database.DisposeAsync();
        }
    }
}
