using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Processes;

/// <summary>Two replicas for all tests of a class: a process, and a console in this one. Each test clicks on surfaces of its own.</summary>
public sealed class TwoConsoles : IAsyncLifetime
{
    private static readonly string[] Surfaces = [.. Enumerable.Range(0, 12).Select(n => $"s{n}")];
    private int _used;

    public Consoles All { get; private set; } = null!;

    public ConsoleProcess A { get; private set; } = null!;

    internal ConsoleHost B { get; private set; } = null!;

    public SandboxServer Sandbox => All.Sandbox;

    /// <summary>A surface that no other test touches. It answers 503.</summary>
    public string NextSurface() => Surfaces[_used++];

    public async Task InitializeAsync()
    {
        All = await Consoles.CreateAsync(Surfaces);
        // A busy machine must not use up what a click may take: whoever waits for another's ticket is to see it.
        var patient = new Dictionary<string, string>
        {
            ["Ticketing__ClickBudget"] = "00:00:04",
            ["Ticketing__Lease"] = "00:00:06",
            ["Ticketing__Grace"] = "00:00:04",
        };
        var other = All.StartHostAsync(patient);
        (A, B) = (await All.StartAsync(patient), await other);
    }

    public async Task DisposeAsync() => await All.DisposeAsync();
}
