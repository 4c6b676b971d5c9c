using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Processes;

/// <summary>Two replicas for all tests of a class, one in a process of its own. Each test clicks on other surfaces.</summary>
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
        // A long click budget, so that on a busy machine a click that waits for another's filing still gets its ticket.
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
