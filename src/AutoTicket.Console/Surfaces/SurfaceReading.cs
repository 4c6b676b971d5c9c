using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Surfaces;

/// <summary>The result of one probe.</summary>
public enum ReadingOutcome
{
    Ok,
    Slow,
    Failed,

    /// <summary>The console was offline, so the reading says nothing about the surface.</summary>
    Blind,
}

/// <summary>The status of a surface. The names in lower case are the words of the API.</summary>
public enum SurfaceStatus
{
    /// <summary>Never judged yet. Never shown as green.</summary>
    Unknown,
    Operational,

    /// <summary>Slow, or partly failing.</summary>
    Degraded,
    Down,

    /// <summary>No reading for two intervals, or the console is offline: the last status may no longer hold.</summary>
    Stale,
    Maintenance,
}

/// <summary>One probe of one surface, and the surface's status after it. A row of <c>surface_readings</c>.</summary>
public sealed record SurfaceReading
{
    public long Id { get; init; }

    public required string SurfaceKey { get; init; }

    public required DateTimeOffset CheckedAt { get; init; }

    public required ReadingOutcome Outcome { get; init; }

    /// <summary>Time to the complete response in milliseconds; null: there was none.</summary>
    public int? LatencyMs { get; init; }

    /// <summary>Why it was not <see cref="ReadingOutcome.Ok"/>, in one line of at most 200 characters.</summary>
    public string? Cause { get; init; }

    /// <summary>The surface's host accepted or refused a connection, so the console is online.</summary>
    public bool Reached { get; init; }

    /// <summary>The end of the validity of the certificate that the surface presented; null: http, or no handshake succeeded.</summary>
    public DateTimeOffset? CertificateUntil { get; init; }

    /// <summary>The status that this reading and those before it confirm.</summary>
    public SurfaceStatus Status { get; init; }

    /// <summary>When <see cref="Status"/> began.</summary>
    public DateTimeOffset Since { get; init; }

    /// <summary>How much time it stands for: the poll interval with which it was taken, in milliseconds.</summary>
    public int IntervalMs { get; init; }

    /// <summary>The surface was in maintenance, so the reading does not count for its availability.</summary>
    public bool InMaintenance { get; init; }
}

internal sealed class SurfaceReadingMapping : IEntityTypeConfiguration<SurfaceReading>
{
    public void Configure(EntityTypeBuilder<SurfaceReading> builder)
    {
        builder.ToTable("surface_readings");
        builder.HasIndex(reading => new { reading.SurfaceKey, reading.CheckedAt }).IsDescending(false, true);
        builder.HasIndex(reading => reading.CheckedAt);
    }
}

internal static class SurfaceDbSets
{
    extension(AutoTicketDbContext db)
    {
        public DbSet<SurfaceReading> SurfaceReadings => db.Set<SurfaceReading>();
        public DbSet<SurfaceHour> SurfaceHours => db.Set<SurfaceHour>();
    }
}
