using System.Collections.Concurrent;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Security;

/// <summary>The sessions. Open pages learn within two seconds that a session ended or changed its role, in whatever process. While the
/// database is down, users stay signed in.</summary>
internal sealed partial class Sessions(
    IDbContextFactory<AutoTicketDbContext> contexts,
    DatabaseGate gate,
    SignInOptions options,
    TimeProvider clock,
    ILogger<Sessions> logger
) : Loop(clock, logger)
{
    /// <summary>A session ends when the provider has not confirmed it for this long. Otherwise an outage of the provider would keep
    /// dismissed users signed in.</summary>
    public static readonly TimeSpan Unconfirmed = TimeSpan.FromHours(1);

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SweepEvery = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<Guid, (string Session, Action<Session?> OnChange)> _watches = new();
    private long? _sweptAt;

    /// <summary>Begins and audits a session.</summary>
    /// <param name="name">The user, as the audit log's actor.</param>
    /// <param name="email">The user's e-mail address, kept in the cookie; null: it is not known.</param>
    public async Task<ClaimsPrincipal> OpenAsync(
        string name,
        string role,
        string? grant,
        CancellationToken cancellationToken,
        string? email = null
    )
    {
        var now = Clock.GetUtcNow();
        var secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var session = new Session
        {
            Id = Schemes.SessionId(secret),
            Name = name,
            Role = role,
            Authority = options.Authority,
            CreatedAt = now,
            ExpiresAt = EndOf(now, now),
            CheckedAt = now,
            ConfirmedAt = grant is null ? null : now,
            SealedGrant = grant,
        };
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        db.Sessions.Add(session);
        db.AuditLog.Add(Entry(AuditActions.SignedIn, name, new { role }));
        await db.SaveChangesAsync(cancellationToken);
        return Schemes.Principal(name, role, Schemes.Cookie, secret, email);
    }

    /// <summary>Ends and audits a session, and signs out its open pages.</summary>
    public async Task EndAsync(string id, string why, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        if (await db.Sessions.SingleOrDefaultAsync(session => session.Id == id, cancellationToken) is not { } session)
        {
            return;
        }

        db.Sessions.Remove(session);
        db.AuditLog.Add(Entry(AuditActions.SignedOut, session.Name, new { why }));
        try
        {
            await db.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateConcurrencyException)
        {
            // Another process ended it at the same moment.
            return;
        }

        Log.Ended(logger, session.Name, why);
        Wake();
    }

    /// <summary>Ends every session of this session's user.</summary>
    public async Task EndAllAsync(string id, string why, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var own = db.Sessions.Where(session => session.Id == id);
        var all = await db
            .Sessions.Where(session => own.Any(one => one.Name == session.Name && one.Authority == session.Authority))
            .Select(session => session.Id)
            .ToListAsync(cancellationToken);
        foreach (var session in all)
        {
            await EndAsync(session, why, cancellationToken);
        }
    }

    /// <summary>Moves the end of a session that is in use, up to its maximum age.</summary>
    public async Task ExtendAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            var createdAt = await db
                .Sessions.Where(session => session.Id == id)
                .Select(session => session.CreatedAt)
                .SingleOrDefaultAsync(cancellationToken);
            var until = EndOf(createdAt, Clock.GetUtcNow());
            await db
                .Sessions.Where(session => session.Id == id)
                .ExecuteUpdateAsync(set => set.SetProperty(session => session.ExpiresAt, until), cancellationToken);
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            // The session keeps its end, and the page can still be read.
        }
    }

    /// <returns>The session; null: it is over.</returns>
    public async Task<Session?> FindAsync(string id, CancellationToken cancellationToken) =>
        (await ReadAsync([id], cancellationToken)).SingleOrDefault();

    /// <returns>The user with their current role; null: their session is over.</returns>
    public async Task<ClaimsPrincipal?> CurrentAsync(ClaimsPrincipal user, CancellationToken cancellationToken)
    {
        if (Schemes.SessionOf(user) is not { } id)
        {
            return user;
        }

        try
        {
            return Current(user, await FindAsync(id, cancellationToken));
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            // Actions need the database anyway, and pages must stay readable without it.
            return user;
        }
    }

    /// <returns>The same user, if nothing changed; null: the session is over.</returns>
    public static ClaimsPrincipal? Current(ClaimsPrincipal user, Session? session) =>
        session is null ? null
        : session.Role == Roles.Of(user) ? user
        : Schemes.Principal(session.Name, session.Role, Schemes.Cookie, user.FindFirst(Schemes.SessionClaim)?.Value, Schemes.EmailOf(user));

    /// <summary>Reports the session every two seconds, and at once when this process ends it.</summary>
    /// <param name="onChange">Gets null when the session is over; must return at once and never throw.</param>
    public IDisposable Watch(string id, Action<Session?> onChange)
    {
        var key = Guid.NewGuid();
        _watches[key] = (id, onChange);
        return new Subscription(() => _watches.TryRemove(key, out _));
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        if (gate.IsOpen)
        {
            await NotifyAsync(stoppingToken);
            if (_sweptAt is not { } sweptAt || Clock.GetElapsedTime(sweptAt) >= SweepEvery)
            {
                _sweptAt = Clock.GetTimestamp();
                var now = Clock.GetUtcNow();
                await using var db = await contexts.CreateDbContextAsync(stoppingToken);
                await db.Sessions.Where(session => session.ExpiresAt <= now).ExecuteDeleteAsync(stoppingToken);
            }
        }

        return LookEvery;
    }

    private async Task NotifyAsync(CancellationToken cancellationToken)
    {
        var watches = _watches.Values.ToList();
        if (watches.Count == 0)
        {
            return;
        }

        var sessions = (await ReadAsync([.. watches.Select(watch => watch.Session).Distinct()], cancellationToken)).ToDictionary(session =>
            session.Id
        );
        foreach (var (id, onChange) in watches)
        {
            onChange(sessions.GetValueOrDefault(id));
        }
    }

    private async Task<List<Session>> ReadAsync(string[] ids, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var (now, authority) = (Clock.GetUtcNow(), options.Authority);
        var confirmed = now - Unconfirmed;
        return await db
            .Sessions.AsNoTracking()
            .Where(session => ids.Contains(session.Id) && session.ExpiresAt > now && session.Authority == authority)
            .Where(session => session.ConfirmedAt == null || session.ConfirmedAt > confirmed)
            .ToListAsync(cancellationToken);
    }

    private DateTimeOffset EndOf(DateTimeOffset createdAt, DateTimeOffset usedAt)
    {
        var (unused, tooOld) = (usedAt + options.SessionLifetime, createdAt + options.SessionMaxAge);
        return unused < tooOld ? unused : tooOld;
    }

    private AuditEntry Entry(string action, string actor, object payload) =>
        new()
        {
            CreatedAt = Clock.GetUtcNow(),
            Action = action,
            Actor = actor,
            Payload = JsonSerializer.Serialize(payload),
        };

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "session ended actor={Actor}: {Why}")]
        public static partial void Ended(ILogger logger, string actor, string why);
    }
}
