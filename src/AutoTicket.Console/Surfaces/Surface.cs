namespace AutoTicket.Surfaces;

/// <summary>The public face of a system that we watch, as configured under <c>Surfaces__N__*</c>.</summary>
public sealed record Surface
{
    /// <summary>A slug (<c>a-z 0-9 -</c>): the surface's identity. Renaming it starts a new history.</summary>
    public required string Key { get; init; }

    public required string Name { get; init; }

    public string Group { get; init; } = "";

    public required Uri Url { get; init; }

    public string Method { get; init; } = "GET";

    /// <summary>The status codes that count as an answer, as <c>200-299,401</c>.</summary>
    public StatusCodes ExpectedStatus { get; init; } = StatusCodes.Success;

    /// <summary>Text that the answer's body must hold; empty: any body will do.</summary>
    public string ExpectedText { get; init; } = "";

    public Severity Severity { get; init; } = Severity.P2;

    /// <summary>An answer slower than this counts as slow, and enough of them as degraded.</summary>
    public TimeSpan SlowAfter { get; init; } = TimeSpan.FromSeconds(2);

    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How many failures in a row confirm that the surface is down.</summary>
    public int DownAfter { get; init; } = 2;

    /// <summary>How many good answers in a row confirm that it is up again.</summary>
    public int UpAfter { get; init; } = 2;

    /// <summary>Until then the surface is probed and shown, but in maintenance: nobody is called for it.</summary>
    public DateTimeOffset? MaintenanceUntil { get; init; }
}

/// <summary>How badly a failure hurts; P1 is worst.</summary>
public enum Severity
{
    P1 = 1,
    P2,
    P3,
    P4,
}
