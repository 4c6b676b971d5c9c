using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Surfaces;

/// <summary>The readings of a surface in one hour, rolled up. Thanks to these rows a page never counts months of readings.</summary>
/// <remarks>Days have no rows of their own: 90 days are 2,160 rows of a surface, which one query by the primary key reads.</remarks>
internal sealed class SurfaceHour
{
    public required string SurfaceKey { get; init; }

    /// <summary>The hour's beginning, UTC.</summary>
    public required DateTimeOffset Hour { get; init; }

    /// <summary>For how long its status is known, in milliseconds, without maintenance.</summary>
    public long KnownMs { get; init; }

    /// <summary>For how much of that it was not down.</summary>
    public long UpMs { get; init; }

    /// <summary>For how much of <see cref="UpMs"/> it was degraded.</summary>
    public long DegradedMs { get; init; }

    /// <summary>For how long it was in maintenance; not part of <see cref="KnownMs"/>.</summary>
    public long MaintainedMs { get; init; }

    /// <summary>Median of the response times in milliseconds, without maintenance; null: there was no response.</summary>
    public int? P50Ms { get; init; }

    /// <summary>The same, 95th percentile.</summary>
    public int? P95Ms { get; init; }

    /// <param name="elapsed">Of an hour that is not over, how much has passed.</param>
    public static SurfaceHour Of(string surfaceKey, TrendStep hour, TimeSpan? elapsed = null)
    {
        var fitted = hour.Within(elapsed ?? TimeSpan.FromHours(1));
        return new()
        {
            SurfaceKey = surfaceKey,
            Hour = hour.From,
            KnownMs = fitted.KnownMs,
            UpMs = fitted.UpMs,
            DegradedMs = fitted.DegradedMs,
            MaintainedMs = fitted.MaintainedMs,
            P50Ms = hour.P50Ms,
            P95Ms = hour.P95Ms,
        };
    }

    public TrendStep ToStep() => new(Hour, KnownMs, UpMs, DegradedMs, MaintainedMs, P50Ms, P95Ms);
}

internal sealed class SurfaceHourMapping : IEntityTypeConfiguration<SurfaceHour>
{
    public void Configure(EntityTypeBuilder<SurfaceHour> builder)
    {
        builder.ToTable("surface_hours");
        builder.HasKey(hour => new { hour.SurfaceKey, hour.Hour });
        builder.HasIndex(hour => hour.Hour);
        builder.Property(hour => hour.P50Ms).HasColumnName("p50_ms");
        builder.Property(hour => hour.P95Ms).HasColumnName("p95_ms");
    }
}
