using AutoTicket.Sandbox;

namespace AutoTicket.Benchmarks;

/// <summary>The console as a process of its own that takes alerts, on a PostgreSQL whose commits reach the disk, and files them to a
/// FreeScout over HTTP, without a limit: the flood breaker, which would spare it most of the work, never trips.</summary>
internal sealed class AlertConsole : IAsyncDisposable
{
    public const string Token = "benchmark";

    private readonly BenchDatabase _database;
    private readonly ConsoleProcess _process;

    private AlertConsole(BenchDatabase database, SandboxServer sandbox, ConsoleProcess process) => (_database, Sandbox, _process) = (database, sandbox, process);

    public SandboxServer Sandbox { get; }

    public Uri Address => _process.Address;

    public int Id => _process.Id;

    public static async Task<AlertConsole> StartAsync()
    {
        var database = await BenchDatabase.StartAsync();
        await database.AgeAsync();
        var sandbox = await SandboxServer.StartAsync();
        var settings = Settings(sandbox).ToDictionary(setting => setting.Key.Replace(":", "__", StringComparison.Ordinal), setting => setting.Value!);
        settings["ASPNETCORE_ENVIRONMENT"] = "Development";
        settings["Sandbox__Enabled"] = "false";
        settings["DATABASE_URL"] = database.Url;
        var process = await ConsoleProcess.StartAsync(settings);
        await Eventually.TrueAsync(async () => (await process.Http.GetAsync("/healthz/ready")).IsSuccessStatusCode, "the console is ready");
        return new AlertConsole(database, sandbox, process);
    }

    public static Dictionary<string, string?> Settings(SandboxServer sandbox) => new(sandbox.ConsoleSettings())
    {
        ["ALERTS_INGEST_TOKEN"] = Token,
        ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
        ["Ticketing:FloodBudget"] = "1000000",
        ["Ticketing:FloodBudgetPerSource"] = "1000000",
        // What was filed within it is counted for each ticket: no figure of ours should grow with an unlimited budget.
        ["Ticketing:FloodWindow"] = "00:00:10",
    };

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        await Sandbox.DisposeAsync();
        await _database.DisposeAsync();
    }
}
