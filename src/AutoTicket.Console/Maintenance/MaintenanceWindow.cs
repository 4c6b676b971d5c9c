using System.Globalization;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Maintenance;

/// <summary>A maintenance of a surface, once or every week: a row of <c>maintenance_windows</c>.</summary>
internal sealed record MaintenanceWindow
{
    public long Id { get; init; }

    public required string SurfaceKey { get; init; }

    public required DateTimeOffset StartsAt { get; init; }

    /// <summary>When it ends; of a weekly one, after which it does not begin again. Null: a weekly one without an end.</summary>
    public DateTimeOffset? EndsAt { get; init; }

    /// <summary>The days of a weekly one, as <c>mon,thu</c>; null: it is not weekly.</summary>
    public string? WeeklyDays { get; init; }

    /// <summary>When a weekly one begins, as <c>22:00</c> in <see cref="TimeZone"/>.</summary>
    public string? WeeklyAt { get; init; }

    /// <summary>How long a weekly one lasts.</summary>
    public int? WeeklyMinutes { get; init; }

    /// <summary>The IANA name of a weekly one's time zone.</summary>
    public string? TimeZone { get; init; }

    public required string Reason { get; init; }

    public required string Actor { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When persons ended single maintenances of a weekly one early, as <c>2026-03-24T23:40:00.0000000Z</c> with a space in
    /// between; null: never. The others are not affected.</summary>
    public string? Cuts { get; init; }

    /// <summary>When a person ended or canceled it.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    public string? EndedBy { get; init; }

    /// <summary>It began before it was set, and the readings since then are not marked yet.</summary>
    public bool IsPastPending { get; init; }

    public bool IsWeekly => WeeklyDays is not null;

    public IEnumerable<DateTimeOffset> CutTimes =>
        Cuts?.Split(' ').Select(cut => DateTimeOffset.Parse(cut, CultureInfo.InvariantCulture)) ?? [];

    /// <returns><see cref="Cuts"/> with one more, and without those of windows that no page shows any more.</returns>
    public string CutsWith(DateTimeOffset now) =>
        string.Join(
            ' ',
            CutTimes
                .Where(cut => cut > now - TrendRange.Longest)
                .Append(now)
                .Select(cut => cut.UtcDateTime.ToString("O", CultureInfo.InvariantCulture))
        );
}

internal sealed class MaintenanceMapping : IEntityTypeConfiguration<MaintenanceWindow>
{
    public void Configure(EntityTypeBuilder<MaintenanceWindow> builder)
    {
        builder.ToTable("maintenance_windows");
        builder.HasIndex(window => new { window.SurfaceKey, window.EndsAt });
    }
}

/// <summary>A snooze of an alert: a row of <c>snoozes</c>.</summary>
internal sealed record Snooze
{
    public long Id { get; init; }

    public required string AlertId { get; init; }

    /// <summary>The episode at the time of the snooze, and how often it had fired again.</summary>
    public required long AlertRow { get; init; }

    public int Reopened { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset EndsAt { get; init; }

    /// <summary>It ends with the alert, if that is earlier.</summary>
    public bool UntilRecovery { get; init; }

    public required string Reason { get; init; }

    public required string Actor { get; init; }

    /// <summary>When a person ended it.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    public string? EndedBy { get; init; }

    /// <summary>When the alert ended, of a snooze that ends with it. Not stored.</summary>
    public DateTimeOffset? RecoveredAt { get; init; }
}

internal sealed class SnoozeMapping : IEntityTypeConfiguration<Snooze>
{
    public void Configure(EntityTypeBuilder<Snooze> builder)
    {
        builder.ToTable("snoozes");
        builder.HasIndex(snooze => snooze.EndsAt);
        builder.Ignore(snooze => snooze.RecoveredAt);
    }
}

internal static class MaintenanceDbSets
{
    extension(AutoTicketDbContext db)
    {
        public DbSet<MaintenanceWindow> MaintenanceWindows => db.Set<MaintenanceWindow>();
        public DbSet<Snooze> Snoozes => db.Set<Snooze>();
    }
}
