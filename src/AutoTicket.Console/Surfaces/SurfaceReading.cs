using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

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

    /// <summary>Why it was not <see cref="ReadingOutcome.Ok"/>, in at most 200 characters, without control characters.</summary>
    public string? Cause { get; init; }

    /// <summary>The far host's network stack answered (a connection was made or refused), so our own network works.</summary>
    public bool Reached { get; init; }

    /// <summary>The status confirmed by this reading and those before it.</summary>
    public SurfaceStatus Status { get; init; }

    /// <summary>Since when <see cref="Status"/> holds.</summary>
    public DateTimeOffset Since { get; init; }
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
