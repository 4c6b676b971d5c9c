using System.Net.Http.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Alerts;

/// <summary>Raises alerts at one or more consoles that share a database, a FreeScout and a Slack.</summary>
internal sealed class AlertDriver : IAsyncDisposable
{
    private readonly List<ConsoleHost> _consoles = [];
    private readonly Dictionary<string, string?> _settings;

    private readonly Action<IServiceCollection>? _services;

    private AlertDriver(
        TestDatabase database,
        SandboxServer sandbox,
        StillClock? clock,
        Dictionary<string, string?> settings,
        Action<IServiceCollection>? services
    ) => (Database, Sandbox, Clock, _settings, _services) = (database, sandbox, clock!, settings, services);

    public TestDatabase Database { get; }

    public SandboxServer Sandbox { get; }

    public FreeScoutStandIn FreeScout => Sandbox.FreeScout;

    /// <summary>The bodies of the requests that create a ticket.</summary>
    public IReadOnlyList<string> Creates =>
        [
            .. FreeScout
                .RecordedRequests.Where(request => request.Method == "POST" && request.Path == FreeScoutStandIn.ApiPath + "/conversations")
                .Select(request => request.Body),
        ];

    public StillClock Clock { get; }

    public ConsoleHost Console => _consoles[^1];

    public IReadOnlyList<ConsoleHost> Consoles => _consoles;

    /// <param name="services">Changes the service registrations of each console.</param>
    public static async Task<AlertDriver> StartAsync(
        Database kind = Kit.Database.Sqlite,
        IReadOnlyDictionary<string, string?>? settings = null,
        StillClock? clock = null,
        int consoles = 1,
        Action<IServiceCollection>? services = null
    )
    {
        var sandbox = await SandboxServer.StartAsync(new SandboxSettings { Clock = clock ?? TimeProvider.System });
        var all = new Dictionary<string, string?> { ["FreeScout:RetryDelay"] = "00:00:00.02", ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1" };
        foreach (var (name, value) in settings ?? new Dictionary<string, string?>())
        {
            all[name] = value;
        }

        var driver = new AlertDriver(await TestDatabase.CreateAsync(kind), sandbox, clock, all, services);
        for (var console = 0; console < consoles; console++)
        {
            await driver.StartConsoleAsync();
        }

        return driver;
    }

    /// <param name="settings">Added to the driver's.</param>
    public async Task StartConsoleAsync(IReadOnlyDictionary<string, string?>? settings = null)
    {
        var all = new Dictionary<string, string?>(_settings);
        foreach (var (name, value) in settings ?? new Dictionary<string, string?>())
        {
            all[name] = value;
        }

        _consoles.Add(await ConsoleHost.StartAsync(Database, Sandbox, all, Clock, services: _services));
    }

    public async Task StopAsync(ConsoleHost console)
    {
        _consoles.Remove(console);
        await console.DisposeAsync();
    }

    public static Observation Say(
        string name = "disk_full",
        Severity severity = Severity.P2,
        bool firing = true,
        string? id = null,
        string source = "test",
        string? surface = null,
        DateTimeOffset? expires = null
    ) =>
        new(
            source,
            name,
            surface,
            severity,
            $"{name} on db1",
            firing,
            new Dictionary<string, string> { ["host"] = "db1" },
            ProducerId: id,
            ExpiresAt: expires
        );

    public async Task<Observed> RaiseAsync(Observation observation, int console = 0) => (await RaiseAsync([observation], console))[0];

    /// <summary>Reports alerts and, as every sender does, repeats a request that the console could not record.</summary>
    public async Task<IReadOnlyList<Observed>> RaiseAsync(IReadOnlyList<Observation> request, int console = 0)
    {
        IReadOnlyList<Observed>? recorded = null;
        await Eventually.TrueAsync(
            async () =>
                (recorded = await _consoles[console].Get<AlertAggregator>().ObserveAsync(request, CancellationToken.None)) is not null,
            "the console records the alerts"
        );
        return recorded!;
    }

    public async Task FlipAsync(bool enabled)
    {
        using var answer = await Console.Http.PutAsJsonAsync(
            new Uri($"/api/flags/{Flags.FlagNames.AlertsAutoTicket}", UriKind.Relative),
            new { enabled, reason = "a test" }
        );
        answer.EnsureSuccessStatusCode();
    }

    public Task<List<Alert>> AlertsAsync() => QueryAsync(db => db.Alerts.AsNoTracking().OrderBy(alert => alert.Id).ToListAsync());

    public Task<List<AlertDelivery>> DeliveriesAsync() =>
        QueryAsync(db => db.AlertDeliveries.AsNoTracking().OrderBy(d => d.AlertRow).ToListAsync());

    public Task<List<Decision>> DecisionsAsync() => QueryAsync(db => db.Decisions.AsNoTracking().OrderBy(d => d.Id).ToListAsync());

    public Task<int> FiledAsync() => QueryAsync(db => db.AuditLog.CountAsync(entry => entry.Action == AuditActions.AlertTicketFiled));

    public Task<int> UntaggedAsync() => QueryAsync(db => db.Tickets.CountAsync(ticket => ticket.TagsPending));

    /// <summary>Waits until at least this many creates have lost their answer.</summary>
    public Task EventuallyUnconfirmedAsync(int atLeast) =>
        Eventually.TrueAsync(
            async () =>
                await QueryAsync(db => db.Tickets.CountAsync(ticket => ticket.State == AutoTicket.Tickets.TicketState.Unconfirmed))
                >= atLeast,
            $"at least {atLeast} are unconfirmed"
        );

    public Task EventuallyTicketsAsync(int count) =>
        Eventually.TrueAsync(
            async () => FreeScout.Conversations.Count == count && await FiledAsync() == count,
            $"{count} tickets are filed and audited"
        );

    public Task EventuallyDecidedAsync(string word, string path = "ticket") =>
        Eventually.TrueAsync(
            async () => (await DecisionsAsync()).Exists(d => d.Word.Text == word && d.Path == path),
            $"“{word}” is decided"
        );

    /// <summary>Waits until no hook has work left.</summary>
    public Task EventuallySettledAsync() => Eventually.TrueAsync(IsSettledAsync, "all alerts are settled");

    public Task<bool> IsSettledAsync() => QueryAsync(async db => !await db.AlertOutbox.AnyAsync());

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

    public async Task<T> QueryAsync<T>(Func<Data.AutoTicketDbContext, Task<T>> query)
    {
        await using var db = Database.Open();
        return await query(db);
    }
}
