using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using Microsoft.Extensions.Options;

namespace AutoTicket.Maintenance;

/// <summary>How a request about maintenance or a snooze ended.</summary>
public enum MuteResult
{
    Done,
    UnknownTarget,
    Invalid,

    /// <summary>There is nothing to end, or too much to add.</summary>
    Conflict,
    StoreUnreachable,
}

/// <param name="Message">One sentence for the operator.</param>
public sealed record MuteOutcome(MuteResult Result, string Message)
{
    internal static readonly MuteOutcome Unreachable = new(
        MuteResult.StoreUnreachable,
        "The console's database can't be reached. It is not known whether the change was made: look before you repeat it."
    );
}

/// <summary>Starts, plans, ends and cancels maintenance, on behalf of a person.</summary>
internal sealed class MaintenancePlanner(
    MaintenanceStore store,
    MaintenanceWatch watch,
    StatusBoard board,
    IOptions<StatusOptions> status,
    TimeProvider clock
)
{
    /// <returns>With the new window, if it was added.</returns>
    public async Task<(MuteOutcome Outcome, MaintenanceWindow? Added)> AddAsync(
        string surfaceKey,
        MaintenanceRequest request,
        string actor,
        CancellationToken cancellationToken
    )
    {
        if (board.Find(surfaceKey) is not { } surface)
        {
            return (UnknownSurface, null);
        }

        var now = clock.GetUtcNow();
        var (window, mistake) = MaintenanceRules.Window(surfaceKey, request, actor, now, now - status.Value.Retention);
        if (window is null)
        {
            return (new(MuteResult.Invalid, mistake!), null);
        }

        var (action, done) =
            window.IsWeekly || window.StartsAt > now
                ? (AuditActions.MaintenanceScheduled, $"Maintenance of {surface.Surface.Name} is planned.")
            : window.EndsAt <= now ? (AuditActions.MaintenanceRecorded, $"Past maintenance of {surface.Surface.Name} is recorded.")
            : (AuditActions.MaintenanceStarted, $"{surface.Surface.Name} is in maintenance until {UtcTime.Stamp(window.EndsAt!.Value)}.");
        MaintenanceWindow? added = null;
        var outcome = await watch.ChangeAsync(
            async () =>
                (added = await store.AddAsync(window, action, cancellationToken)) is not null
                    ? new(MuteResult.Done, done)
                    : new(
                        MuteResult.Conflict,
                        $"The surface has {MaintenanceRules.MostWindows} open maintenance windows already. Cancel some of them first."
                    ),
            cancellationToken
        );
        return (outcome, added);
    }

    /// <summary>Ends every maintenance that is in force for the surface. A weekly one begins again next time.</summary>
    public async Task<MuteOutcome> EndAsync(string surfaceKey, string actor, CancellationToken cancellationToken)
    {
        if (board.Find(surfaceKey) is not { } surface)
        {
            return UnknownSurface;
        }

        return await watch.ChangeAsync(
            async () =>
            {
                var now = clock.GetUtcNow();
                var ended = 0;
                foreach (var window in await OpenAsync(surfaceKey, now, cancellationToken))
                {
                    if (
                        IsInForce(window, now)
                        && await store.EndAsync(window, onlyNow: true, AuditActions.MaintenanceEnded, actor, now, cancellationToken)
                    )
                    {
                        ended++;
                    }
                }

                return ended > 0 ? new(MuteResult.Done, $"Maintenance of {surface.Surface.Name} has ended.")
                    : surface.Maintenance?.Actor == SurfaceMaintenance.Configuration
                        ? new(
                            MuteResult.Conflict,
                            "The configuration sets this maintenance: remove MaintenanceUntil and restart the console."
                        )
                    : new(MuteResult.Conflict, "The surface is not in maintenance.");
            },
            cancellationToken
        );
    }

    /// <summary>Ends one window for good: what is in force, what is planned, and a weekly one with all that would follow.</summary>
    public Task<MuteOutcome> CancelAsync(string surfaceKey, long id, string actor, CancellationToken cancellationToken) =>
        watch.ChangeAsync(
            async () =>
            {
                var now = clock.GetUtcNow();
                if ((await OpenAsync(surfaceKey, now, cancellationToken)).Find(window => window.Id == id) is not { } window)
                {
                    return new(MuteResult.UnknownTarget, "The surface has no open maintenance window with this id.");
                }

                var isEnd = IsInForce(window, now) && !window.IsWeekly;
                var action = isEnd ? AuditActions.MaintenanceEnded : AuditActions.MaintenanceCanceled;
                return await store.EndAsync(window, onlyNow: false, action, actor, now, cancellationToken)
                    ? new(MuteResult.Done, isEnd ? "The maintenance has ended." : "The maintenance is canceled.")
                    : new(MuteResult.Conflict, "Somebody else has ended it already.");
            },
            cancellationToken
        );

    /// <returns>The open windows of a surface and the last ones that are over, newest first.</returns>
    public async Task<(MuteOutcome Outcome, IReadOnlyList<MaintenanceView> Windows)> LatestAsync(
        string surfaceKey,
        int count,
        CancellationToken cancellationToken
    )
    {
        if (board.Find(surfaceKey) is null)
        {
            return (UnknownSurface, []);
        }

        try
        {
            var windows = await store.LatestAsync(surfaceKey, count, clock.GetUtcNow(), cancellationToken);
            return (new(MuteResult.Done, ""), [.. windows.Select(ViewOf)]);
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return (new(MuteResult.StoreUnreachable, "The console's database can't be reached."), []);
        }
    }

    /// <returns>When the surface was in maintenance, by its last windows; null when the database can't be reached.</returns>
    public async Task<IReadOnlyList<SurfaceMaintenance>?> TimesAsync(
        string surfaceKey,
        DateTimeOffset since,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var now = clock.GetUtcNow();
            var windows = await store.LatestAsync(surfaceKey, 2 * MaintenanceRules.MostWindows, now, cancellationToken);
            return [.. windows.SelectMany(window => MaintenanceTimes.Of(window, since, now))];
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return null;
        }
    }

    public MaintenanceView ViewOf(MaintenanceWindow window)
    {
        var now = clock.GetUtcNow();
        var next = MaintenanceTimes.Of(window, now, now + MaintenanceRules.FurthestAhead + MaintenanceRules.LongestWeek).FirstOrDefault();
        return new(
            window.Id,
            window.SurfaceKey,
            window.StartsAt,
            window.EndsAt,
            window is { WeeklyDays: { } days, WeeklyAt: { } at, WeeklyMinutes: { } minutes, TimeZone: { } zone }
                ? new(days.Split(','), at, minutes, zone)
                : null,
            next?.Covers(now) == true,
            next?.From,
            next?.Until,
            window.Reason,
            window.Actor,
            window.CreatedAt,
            window.EndedAt,
            window.EndedBy
        );
    }

    private static MuteOutcome UnknownSurface => new(MuteResult.UnknownTarget, "There is no surface with this key.");

    private static bool IsInForce(MaintenanceWindow window, DateTimeOffset now) => MaintenanceTimes.Of(window, now, now.AddTicks(1)).Any();

    // From the database: a window of another process may not be known here yet.
    private async Task<List<MaintenanceWindow>> OpenAsync(string surfaceKey, DateTimeOffset now, CancellationToken cancellationToken) =>
        (await store.ReadAsync(now, cancellationToken)).FindAll(window =>
            window.SurfaceKey == surfaceKey && (window.EndsAt is null || window.EndsAt > now || IsInForce(window, now))
        );
}
