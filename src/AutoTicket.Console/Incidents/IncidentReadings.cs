using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Incidents;

/// <summary>Reads a surface's readings that led to an incident, and the changes of its status during it.</summary>
internal static class IncidentReadings
{
    private const int MostReadings = StatusBoard.HistoryLength;
    private const int MostChanges = 100;

    /// <summary>Of a longer incident, only the status changes of its last days are read.</summary>
    private static readonly TimeSpan LongestScan = TimeSpan.FromDays(7);

    public static async Task<(List<SurfaceReading> Before, List<SurfaceReading> Changes)> ReadAsync(
        AutoTicketDbContext db,
        Alert alert,
        DateTimeOffset until,
        CancellationToken cancellationToken
    )
    {
        var readings = db.SurfaceReadings.AsNoTracking().Where(reading => reading.SurfaceKey == alert.Surface);
        var before = await readings
            .Where(reading => reading.CheckedAt <= alert.OpenedAt)
            .OrderByDescending(reading => reading.CheckedAt)
            .Take(MostReadings)
            .ToListAsync(cancellationToken);
        var from = until - LongestScan > alert.OpenedAt ? until - LongestScan : alert.OpenedAt;
        return (
            before,
            await readings
                .Where(reading => reading.CheckedAt > from && reading.CheckedAt <= until && reading.CheckedAt == reading.Since)
                .OrderBy(reading => reading.CheckedAt)
                .Take(MostChanges)
                .ToListAsync(cancellationToken)
        );
    }
}
