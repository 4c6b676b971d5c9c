using System.Globalization;
using System.Text.Json;
using AutoTicket.Sandbox;

namespace AutoTicket.Benchmarks;

/// <summary>A console process that receives alerts and files tickets over HTTP, on a PostgreSQL with durable commits.</summary>
/// <remarks>The flood breaker is off, because it would spare the console most of the work.</remarks>
internal sealed class AlertConsole : IAsyncDisposable
{
    public const string Token = "benchmark";

    private readonly BenchDatabase _database;
    private ConsoleProcess _process;

    private AlertConsole(BenchDatabase database, SandboxServer sandbox, ConsoleProcess process) =>
        (_database, Sandbox, _process) = (database, sandbox, process);

    public SandboxServer Sandbox { get; }

    public Uri Address => _process.Address;

    public int Id => _process.Id;

    /// <summary>Starts and warms up the console, so that JIT compilation is not measured.</summary>
    public static async Task<AlertConsole> StartWarmAsync()
    {
        const int Times = 20;
        const int Several = 50;
        var console = await StartAsync();
        using var sender = new AlertSender(console.Address, connections: 4);
        for (var n = 0; n < Times; n++)
        {
            // Alert numbers that no benchmark uses.
            await sender.SendAsync(AlertSender.Requests(1_000_000 + (n * Several), Several, 1), 1);
            await Task.Delay(300);
        }

        await console.FiledAsync(Times * Several);
        return console;
    }

    /// <summary>Waits until FreeScout has so many tickets.</summary>
    public Task FiledAsync(int count) =>
        Eventually.TrueAsync(() => Sandbox.FreeScout.CreatedCount == count, "all tickets are filed", TimeSpan.FromMinutes(2));

    /// <param name="more">Settings beside those that every such console has.</param>
    public static async Task<AlertConsole> StartAsync(IReadOnlyDictionary<string, string>? more = null)
    {
        var database = await BenchDatabase.StartAsync();
        await database.AgeAsync();
        var sandbox = await SandboxServer.StartAsync();
        return new AlertConsole(database, sandbox, await LaunchAsync(database, sandbox, more));
    }

    /// <returns>How many tickets may exist, because FreeScout failed after it was sent them. The console looks for them for two
    /// minutes.</returns>
    public async Task<int> UncertainAsync()
    {
        await using var uncertain = _database.Bare.CreateCommand("SELECT count(*) FROM tickets WHERE state IN ('filing', 'unconfirmed')");
        return Convert.ToInt32(await uncertain.ExecuteScalarAsync(), CultureInfo.InvariantCulture);
    }

    /// <summary>Starts it again with other settings, on the same database and FreeScout.</summary>
    public async Task RestartAsync(IReadOnlyDictionary<string, string> more)
    {
        await _process.StopAsync();
        await _process.DisposeAsync();
        _process = await LaunchAsync(_database, Sandbox, more);
    }

    /// <summary>Sends alerts and returns when each has an open ticket.</summary>
    public async Task FillAsync(int count)
    {
        const int Batch = 100;
        using var sender = new AlertSender(Address, connections: 4);
        await sender.SendAsync(AlertSender.Requests(0, count, Batch), Batch);
        await Eventually.TrueAsync(async () => await TicketsAsync() == count, "each alert has a ticket", TimeSpan.FromMinutes(5));
    }

    /// <returns>The number of open tickets of alerts.</returns>
    public async Task<int> TicketsAsync()
    {
        using var answer = JsonDocument.Parse(await _process.Http.GetStringAsync("/api/tickets?state=open&tag=auto:alert"));
        return answer.RootElement.GetProperty("tickets").GetArrayLength();
    }

    private static async Task<ConsoleProcess> LaunchAsync(
        BenchDatabase database,
        SandboxServer sandbox,
        IReadOnlyDictionary<string, string>? more
    )
    {
        var settings = Settings(sandbox)
            .ToDictionary(setting => setting.Key.Replace(":", "__", StringComparison.Ordinal), setting => setting.Value!);
        foreach (var (name, value) in more ?? new Dictionary<string, string>())
        {
            settings[name] = value;
        }

        settings["ASPNETCORE_ENVIRONMENT"] = "Development";
        settings["Sandbox__Enabled"] = "false";
        settings["DATABASE_URL"] = database.Url;
        foreach (var (name, value) in Measure.AsInProduction)
        {
            settings[name] = value;
        }

        var process = await ConsoleProcess.StartAsync(settings);
        await Eventually.TrueAsync(async () => (await process.Http.GetAsync("/healthz/ready")).IsSuccessStatusCode, "the console is ready");
        return process;
    }

    public static Dictionary<string, string?> Settings(SandboxServer sandbox) =>
        new(sandbox.ConsoleSettings())
        {
            ["ALERTS_INGEST_TOKEN"] = Token,
            ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
            ["Ticketing:FloodBudget"] = "1000000",
            ["Ticketing:FloodBudgetPerSource"] = "1000000",
            // The breaker counts the tickets in the window for each filing, so the window must stay short.
            ["Ticketing:FloodWindow"] = "00:00:10",
        };

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        await Sandbox.DisposeAsync();
        await _database.DisposeAsync();
    }
}
