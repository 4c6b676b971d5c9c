using AutoTicket.Audit;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Flags;

/// <summary>A flag was switched on or off, or stays so until another time: an entry of the audit log.</summary>
/// <param name="Id">The entry's. A later flip of the same flag has a larger one, even if the clock was put back in between.</param>
/// <param name="Actor">A person, or <c>environment</c>.</param>
/// <param name="Until">When it is switched back; null: that is not scheduled.</param>
/// <param name="IsPinned">The environment switched it off, and nothing else can switch it on.</param>
/// <param name="IsSwitched">False: only <paramref name="Until"/> or <paramref name="IsPinned"/> changed.</param>
internal sealed record FlagFlip(
    long Id,
    DateTimeOffset At,
    string Flag,
    bool Enabled,
    string Actor,
    string Reason,
    DateTimeOffset? Until,
    bool IsPinned = false,
    bool IsSwitched = true
)
{
    private const int MostEntries = 100;

    /// <param name="told">The flip that was told last; 0: none.</param>
    /// <returns>The flag's later flips since then, oldest first. A change without a flip is among them if it makes the last
    /// message wrong.</returns>
    public static async Task<IReadOnlyList<FlagFlip>> AfterAsync(
        AutoTicketDbContext db,
        string flag,
        long told,
        DateTimeOffset since,
        CancellationToken cancellationToken
    )
    {
        var entries = await db
            .AuditLog.FromSql($"SELECT * FROM audit_log WHERE action = {AuditActions.FlagChanged} AND payload ->> 'flag' = {flag}")
            .AsNoTracking()
            .Where(entry => entry.Id == told || (entry.Id > told && entry.CreatedAt > since))
            .OrderByDescending(entry => entry.Id)
            .Take(MostEntries)
            .ToListAsync(cancellationToken);
        var flips = new List<FlagFlip>();
        FlagFlip? last = null;
        foreach (var flip in entries.Select(Of).Reverse())
        {
            if (flip.Id == told)
            {
                last = flip;
            }
            else if (flip.IsSwitched || (last is not null && last.IsOutdatedBy(flip)))
            {
                flips.Add(flip);
                last = flip;
            }
        }

        return flips;
    }

    /// <summary>A message about it names a time or the environment, which is no longer right.</summary>
    private bool IsOutdatedBy(FlagFlip later) => (IsPinned || Until is not null) && (IsPinned, Until) != (later.IsPinned, later.Until);

    private static FlagFlip Of(AuditEntry entry)
    {
        var isPinned = entry.Value("environment") == "off";
        return new(
            entry.Id,
            entry.CreatedAt,
            entry.Value("flag") ?? "",
            entry.Value("after") == "true",
            entry.Actor,
            entry.Value("reason") ?? "",
            // A scheduled change has no effect while the environment pins the flag.
            !isPinned && entry.Value("scheduled_to") != entry.Value("after")
                ? entry.Time("scheduled_for")
                : null,
            isPinned,
            entry.Value("before") != entry.Value("after")
        );
    }
}
