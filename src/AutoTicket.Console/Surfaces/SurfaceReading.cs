namespace AutoTicket.Surfaces;

/// <summary>What one probe saw.</summary>
public enum ReadingOutcome
{
    Ok,
    Slow,
    Failed,

    /// <summary>Our own network was lost, so it says nothing of the surface.</summary>
    Blind,
}

/// <summary>One probe of one surface, and what we said about the surface after it. A row of <c>surface_readings</c>.</summary>
public sealed record SurfaceReading
{
    public long Id { get; init; }

    public required string SurfaceKey { get; init; }

    public required DateTimeOffset CheckedAt { get; init; }

    public required ReadingOutcome Outcome { get; init; }

    /// <summary>Time to the whole answer in milliseconds; null when there was none.</summary>
    public int? LatencyMs { get; init; }

    /// <summary>Why it was not <see cref="ReadingOutcome.Ok"/>, in at most 200 characters; text from outside is cut and stripped of control characters.</summary>
    public string? Cause { get; init; }

    /// <summary>The far host's network stack answered (a connection was made or refused), so our own network works.</summary>
    public bool Reached { get; init; }

    /// <summary>The status confirmed by this reading and those before it.</summary>
    public SurfaceStatus Status { get; init; }

    /// <summary>Since when <see cref="Status"/> holds.</summary>
    public DateTimeOffset Since { get; init; }
}
