namespace AutoTicket.Sandbox;

/// <summary>Settings of the sandbox; the defaults suit tests: any free port, no state file.</summary>
public sealed record SandboxSettings
{
    /// <summary>The loopback port. If it is 0 or taken, a free one is used.</summary>
    public int Port { get; init; }

    /// <summary>The JSON file that keeps FreeScout's conversations across restarts; null for memory only.</summary>
    public string? StatePath { get; init; }

    /// <summary>The clock for everything, including delays and retries, so that tests can control it.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}
