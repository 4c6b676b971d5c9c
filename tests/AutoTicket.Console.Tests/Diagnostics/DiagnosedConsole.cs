using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Sandbox;
using AutoTicket.Tests.Kit;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Diagnostics;

/// <summary>A console with both flags on, and its pipeline checks as read over HTTP.</summary>
internal sealed class DiagnosedConsole : IAsyncDisposable
{
    private readonly SandboxServer _sandbox;
    private readonly TestDatabase _database;

    private DiagnosedConsole(SandboxServer sandbox, TestDatabase database, ConsoleHost host) =>
        (_sandbox, _database, Host) = (sandbox, database, host);

    public ConsoleHost Host { get; }

    public SandboxServer Sandbox => _sandbox;

    public TestDatabase Database => _database;

    public static async Task<DiagnosedConsole> StartAsync(
        Dictionary<string, string?>? settings = null,
        Action<IServiceCollection>? services = null,
        TimeProvider? clock = null,
        Database kind = Kit.Database.Sqlite,
        Action<SandboxServer>? before = null
    )
    {
        var sandbox = await SandboxServer.StartAsync(new SandboxSettings { Clock = clock as StillClock ?? TimeProvider.System });
        before?.Invoke(sandbox);
        var database = await TestDatabase.CreateAsync(kind);
        var all = new Dictionary<string, string?> { ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1", ["FreeScout:RetryDelay"] = "00:00:00.02" };
        foreach (var (name, value) in settings ?? [])
        {
            all[name] = value;
        }

        var host = await ConsoleHost.StartAsync(database, sandbox, all, clock, services: services);
        // The console takes the lease shortly after the start.
        await Eventually.TrueAsync(() => host.Get<Data.LeaderLease>().IsLeader, "the console leads");
        return new DiagnosedConsole(sandbox, database, host);
    }

    public async Task<JsonElement> AskAsync() =>
        await Host.Http.GetFromJsonAsync<JsonElement>(new Uri("/api/diagnostics", UriKind.Relative));

    /// <summary>Waits until exactly these checks have failed.</summary>
    public Task<JsonElement> EventuallyFailedAsync(params string[] keys) => EventuallyInAsync(keys, "failed");

    /// <summary>Waits until only this check has failed and the verdict contains these words. On a busy machine a first try may time out and
    /// give another verdict.</summary>
    public Task<JsonElement> EventuallyFailedWithAsync(string key, params string[] verdict) =>
        EventuallyAsync(
            answer =>
                In(answer, "failed").SequenceEqual([key])
                && verdict.All(words => VerdictOf(answer).Contains(words, StringComparison.Ordinal)),
            $"only {key} has failed, and the verdict says: {string.Join(" … ", verdict)}"
        );

    /// <summary>Waits until exactly these checks are in one of the states. A busy machine may need several tries.</summary>
    public Task<JsonElement> EventuallyInAsync(string[] keys, params string[] states) =>
        EventuallyAsync(
            answer => In(answer, states).SequenceEqual(keys),
            $"what is {string.Join(" or ", states)} is exactly: {string.Join(", ", keys)}"
        );

    private async Task<JsonElement> EventuallyAsync(Func<JsonElement, bool> holds, string what)
    {
        JsonElement answer = default;
        try
        {
            await Eventually.TrueAsync(async () => holds(answer = await AskAsync()), what);
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException($"{late.Message}\n{answer}\n{string.Join('\n', Host.Log)}", late);
        }

        return answer;
    }

    public Task RaiseAsync(params Observation[] observations) =>
        Host.Get<AlertAggregator>().ObserveAsync(observations, CancellationToken.None);

    public static IEnumerable<string> In(JsonElement answer, params string[] states) =>
        answer
            .GetProperty("steps")
            .EnumerateArray()
            .Where(step => states.Contains(step.GetProperty("state").GetString()))
            .Select(step => step.GetProperty("key").GetString()!);

    public static JsonElement Step(JsonElement answer, string key) =>
        answer.GetProperty("steps").EnumerateArray().Single(step => step.GetProperty("key").GetString() == key);

    public static string VerdictOf(JsonElement answer) => answer.GetProperty("verdict").GetString()!;

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        await _sandbox.DisposeAsync();
        await _database.DisposeAsync();
    }
}
