using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Processes;

/// <summary>Two replicas for all tests of a class; each test clicks on surfaces of its own.</summary>
public sealed class TwoConsoles : IAsyncLifetime
{
    private static readonly string[] Surfaces = [.. Enumerable.Range(0, 12).Select(n => $"s{n}")];
    private int _used;

    public Consoles All { get; private set; } = null!;

    public ConsoleProcess A { get; private set; } = null!;

    public ConsoleProcess B { get; private set; } = null!;

    public SandboxServer Sandbox => All.Sandbox;

    /// <summary>A surface that no other test touches. It answers 503.</summary>
    public string NextSurface() => Surfaces[_used++];

    public async Task InitializeAsync()
    {
        All = await Consoles.CreateAsync(Surfaces);
        var consoles = await Task.WhenAll(All.StartAsync(), All.StartAsync());
        (A, B) = (consoles[0], consoles[1]);
    }

    public async Task DisposeAsync() => await All.DisposeAsync();
}
