namespace AutoTicket.Sandbox;

/// <summary>How to start the sandbox; the defaults suit a test: any free port, nothing kept.</summary>
public sealed record SandboxSettings
{
    /// <summary>The loopback port to listen on. 0, or a port that is taken: any free one.</summary>
    public int Port { get; init; }

    /// <summary>The JSON file in which FreeScout's conversations survive a restart; null: memory only.</summary>
    public string? StatePath { get; init; }

    /// <summary>All the sandbox's time, that of delays and retries included, so a fake clock drives it whole.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}
