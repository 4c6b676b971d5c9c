using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Surfaces;

/// <summary>How many readings a surface has in an hour, and in how many it was not down. Thanks to these rows a page never counts months of
/// readings.</summary>
internal sealed class SurfaceHour
{
    public required string SurfaceKey { get; init; }

    /// <summary>The hour's beginning, UTC.</summary>
    public required DateTimeOffset Hour { get; init; }

    public int Known { get; set; }

    public int Up { get; set; }
}

internal sealed class SurfaceHourMapping : IEntityTypeConfiguration<SurfaceHour>
{
    public void Configure(EntityTypeBuilder<SurfaceHour> builder)
    {
        builder.ToTable("surface_hours");
        builder.HasKey(hour => new { hour.SurfaceKey, hour.Hour });
    }
}
