using System.Net;

namespace AutoTicket.Sandbox;

/// <summary>Settings of the sandbox; the defaults suit tests: any free port, no state file.</summary>
public sealed record SandboxSettings
{
    /// <summary>If it is 0 or taken, a free one is used.</summary>
    public int Port { get; init; }

    /// <summary>Where it listens. Another address than loopback is for a container, whose ports a person publishes.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The JSON file that keeps FreeScout's conversations across restarts; null for memory only.</summary>
    public string? StatePath { get; init; }

    /// <summary>The clock for everything, including delays and retries, so that tests can control it.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}
