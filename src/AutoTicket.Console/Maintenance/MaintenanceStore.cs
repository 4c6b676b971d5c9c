using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Maintenance;

/// <summary>Reads and writes windows: the only writer of <c>maintenance_windows</c>. Each change is one commit with its audit
/// entry.</summary>
internal sealed class MaintenanceStore(IDbContextFactory<AutoTicketDbContext> contexts)
{
    public static readonly Expiry Expiry = new(
        "DELETE FROM maintenance_windows WHERE id IN "
            + "(SELECT id FROM maintenance_windows WHERE coalesce(ended_at, ends_at) < {0} ORDER BY id LIMIT {1})"
    );

    /// <returns>The windows that are in force or planned, and those that ended after <paramref name="since"/>.</returns>
    public async Task<List<MaintenanceWindow>> ReadAsync(DateTimeOffset since, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await NotOver(db, since).OrderBy(window => window.Id).ToListAsync(cancellationToken);
    }

    /// <returns>The open windows of a surface and, up to <paramref name="count"/> in all, the last ones that are over; newest
    /// first.</returns>
    public async Task<List<MaintenanceWindow>> LatestAsync(
        string surfaceKey,
        int count,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var open = await NotOver(db, now).Where(window => window.SurfaceKey == surfaceKey).ToListAsync(cancellationToken);
        var latest = await db
            .MaintenanceWindows.AsNoTracking()
            .Where(window => window.SurfaceKey == surfaceKey)
            .OrderByDescending(window => window.Id)
            .Take(count)
            .ToListAsync(cancellationToken);
        // Those whose series is over come last of the open ones.
        var ordered = open.OrderBy(window => window.EndsAt <= now).ThenByDescending(window => window.Id);
        var first = ordered.UnionBy(latest, window => window.Id).Take(count);
        return [.. first.OrderByDescending(window => window.Id)];
    }

    /// <summary>Adds the window, unless the same request has added it: its answer may have been lost.</summary>
    /// <returns>The window with its id; null: the surface has too many open ones.</returns>
    public async Task<MaintenanceWindow?> AddAsync(MaintenanceWindow window, string action, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        // A weekly one that is to begin at once has a later start when it is requested again.
        var same = await db
            .MaintenanceWindows.AsNoTracking()
            .Where(other => other.SurfaceKey == window.SurfaceKey && other.EndedAt == null)
            .Where(other => other.Actor == window.Actor && other.Reason == window.Reason && other.EndsAt == window.EndsAt)
            .Where(other => other.StartsAt == window.StartsAt || (window.WeeklyDays != null && other.StartsAt < window.StartsAt))
            .Where(other => other.WeeklyDays == window.WeeklyDays && other.WeeklyAt == window.WeeklyAt)
            .Where(other => other.WeeklyMinutes == window.WeeklyMinutes && other.TimeZone == window.TimeZone)
            .FirstOrDefaultAsync(cancellationToken);
        if (same is not null)
        {
            return same;
        }

        var open = Open(db, window.CreatedAt).CountAsync(other => other.SurfaceKey == window.SurfaceKey, cancellationToken);
        if (await open >= MaintenanceRules.MostWindows)
        {
            return null;
        }

        var added = window with { };
        await using var transaction = await db.BeginAsync(cancellationToken);
        db.MaintenanceWindows.Add(added);
        // Gives it its id.
        await db.SaveChangesAsync(cancellationToken);
        db.AuditLog.Add(Audit(added, action, window.Actor, window.CreatedAt));
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return added;
    }

    /// <summary>Ends the window, or cancels it if it has not begun.</summary>
    /// <param name="onlyNow">Of a weekly window, only the current maintenance.</param>
    /// <returns>False: somebody else ended it first.</returns>
    public async Task<bool> EndAsync(
        MaintenanceWindow window,
        bool onlyNow,
        string action,
        string actor,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db.UpdateWithAuditAsync(
            onlyNow && window.IsWeekly
                ? $"""
                UPDATE maintenance_windows SET cuts = {window.CutsWith(now)}
                WHERE id = {window.Id} AND ended_at IS NULL AND cuts IS NOT DISTINCT FROM {window.Cuts}
                """
                : (FormattableString)
                    $"UPDATE maintenance_windows SET ended_at = {now}, ended_by = {actor} WHERE id = {window.Id} AND ended_at IS NULL",
            Audit(window, action, actor, now),
            cancellationToken
        );
    }

    /// <returns>The windows whose past readings are not marked yet.</returns>
    public async Task<List<MaintenanceWindow>> PastPendingAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db
            .MaintenanceWindows.AsNoTracking()
            .Where(window => window.IsPastPending)
            .OrderBy(window => window.Id)
            .Take(100)
            .ToListAsync(cancellationToken);
    }

    public async Task PastMarkedAsync(long id, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        await db
            .MaintenanceWindows.Where(window => window.Id == id)
            .ExecuteUpdateAsync(set => set.SetProperty(window => window.IsPastPending, false), cancellationToken);
    }

    /// <summary>Those that count for the limit: without a weekly one whose series is over, although its last maintenance may go
    /// on.</summary>
    private static IQueryable<MaintenanceWindow> Open(AutoTicketDbContext db, DateTimeOffset now) =>
        NotOver(db, now).Where(window => window.EndsAt == null || window.EndsAt > now);

    private static IQueryable<MaintenanceWindow> NotOver(AutoTicketDbContext db, DateTimeOffset since)
    {
        // The last maintenance of a weekly window outlasts the end of its series.
        var weeklySince = since - MaintenanceRules.LongestWeekly;
        return db
            .MaintenanceWindows.AsNoTracking()
            .Where(window => window.EndedAt == null || window.EndedAt > since)
            .Where(window => window.EndsAt == null || window.EndsAt > since || (window.WeeklyDays != null && window.EndsAt > weeklySince));
    }

    private static AuditEntry Audit(MaintenanceWindow window, string action, string actor, DateTimeOffset now) =>
        new()
        {
            CreatedAt = now,
            Action = action,
            Actor = actor,
            Payload = JsonSerializer.Serialize(
                new
                {
                    window_id = window.Id,
                    surface = window.SurfaceKey,
                    starts_at = window.StartsAt,
                    ends_at = window.EndsAt,
                    weekly_days = window.WeeklyDays,
                    weekly_at = window.WeeklyAt,
                    weekly_minutes = window.WeeklyMinutes,
                    time_zone = window.TimeZone,
                    reason = window.Reason,
                    set_by = window.Actor,
                }
            ),
        };
}
