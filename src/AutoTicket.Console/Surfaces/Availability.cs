namespace AutoTicket.Surfaces;

/// <summary>How much of the last hours or days a surface was not down. Maintenance is left out.</summary>
/// <param name="Window">The last 24 h, for example.</param>
/// <param name="Known">For how much of it the status is known, without maintenance.</param>
/// <param name="Up">For how much of that the surface was not down.</param>
/// <param name="Maintained">The maintenance that is left out.</param>
public sealed record Uptime(TimeSpan Window, TimeSpan Known = default, TimeSpan Up = default, TimeSpan Maintained = default)
{
    /// <summary>From this share on, the window counts as known: a restart of the console is no reason to qualify every figure.</summary>
    private const double Whole = 0.9;

    /// <summary>0 to 1; null: nothing is known.</summary>
    public double? Share => Known > TimeSpan.Zero ? Up / Known : null;

    /// <summary>A noticeable part of the window is not known, so <see cref="Share"/> needs <see cref="Known"/> beside it.</summary>
    public bool IsKnownInPart => Known + Maintained < Whole * Window;

    public Uptime With(long knownMs, long upMs, long maintainedMs) =>
        this with
        {
            Known = Known + TimeSpan.FromMilliseconds(knownMs),
            Up = Up + TimeSpan.FromMilliseconds(upMs),
            Maintained = Maintained + TimeSpan.FromMilliseconds(maintainedMs),
        };

    public Uptime With(SurfaceReading reading) =>
        reading switch
        {
            { Outcome: ReadingOutcome.Blind } or { Status: SurfaceStatus.Unknown } => this,
            { InMaintenance: true } => With(0, 0, reading.IntervalMs),
            { Status: SurfaceStatus.Down } => With(reading.IntervalMs, 0, 0),
            _ => With(reading.IntervalMs, reading.IntervalMs, 0),
        };
}

/// <summary>The uptimes that the board shows.</summary>
public sealed record Availability(Uptime Day, Uptime Month)
{
    public static readonly Availability Unknown = new(new(TimeSpan.FromDays(1)), new(TimeSpan.FromDays(30)));

    public Availability With(SurfaceReading reading) => new(Day.With(reading), Month.With(reading));
}
