using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;

namespace AutoTicket.Tests.Journeys;

/// <summary>One console for all journeys of a class. Its poller probes once, at the start. Afterwards the journeys publish the
/// readings.</summary>
public sealed class JourneyHost : IAsyncLifetime
{
    private static readonly string[] Keys = ["pay", "shop", "mail", "search", "cart"];

    internal ConsoleHost Console { get; private set; } = default!;

    internal SandboxServer Sandbox => Console.Sandbox;

    /// <summary>Further settings of the console, also of its surfaces.</summary>
    internal IReadOnlyDictionary<string, string?> Settings { get; init; } = new Dictionary<string, string?>();

    internal StatusBoard Board => Console.Get<StatusBoard>();

    /// <summary>Publishes a reading as the poller would.</summary>
    internal void Publish(string key, ReadingOutcome outcome, string? cause = null) =>
        Board.Publish(
            new SurfaceReading
            {
                SurfaceKey = key,
                CheckedAt = TimeProvider.System.GetUtcNow(),
                Outcome = outcome,
                LatencyMs = outcome == ReadingOutcome.Failed ? null : 12,
                Cause = cause ?? (outcome == ReadingOutcome.Failed ? "HTTP 503" : null),
                Reached = true,
            },
            TimeSpan.FromMilliseconds(12)
        );

    public async Task InitializeAsync()
    {
        var sandbox = await SandboxServer.StartAsync();
        var settings = new Dictionary<string, string?>(Settings) { ["Status:PollInterval"] = "01:00:00" };
        for (var i = 0; i < Keys.Length; i++)
        {
            foreach (var (name, value) in ConsoleHost.SurfaceSettings(i, Keys[i], sandbox.Surface(Keys[i]).Url))
            {
                settings.TryAdd(name, value);
            }

            settings[$"Surfaces:{i}:Timeout"] = settings[$"Surfaces:{i}:SlowAfter"] = "00:01:00";
        }

        Console = await ConsoleHost.StartAsync(sandbox: sandbox, settings: settings);
        await Console.WaitForFlagsAsync();
        await Eventually.TrueAsync(
            () => Board.All().All(surface => surface.Status == SurfaceStatus.Operational),
            "all surfaces were checked and are well",
            TimeSpan.FromMinutes(1)
        );
    }

    public async Task DisposeAsync()
    {
        await Console.DisposeAsync();
        await Sandbox.DisposeAsync();
    }
}
