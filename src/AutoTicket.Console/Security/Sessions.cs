using System.Collections.Concurrent;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Security;

/// <summary>Who is signed in. Open pages hear within two seconds of a session that ended or changed its role, in whichever process
/// that happened; while the database is away everybody stays who they were.</summary>
internal sealed partial class Sessions(
    IDbContextFactory<AutoTicketDbContext> contexts,
    DatabaseGate gate,
    SignInOptions options,
    TimeProvider clock,
    ILogger<Sessions> logger
) : Loop(clock, logger)
{
    /// <summary>How long a provider may be silent about a session before it is over: else an outage of the provider, or of the way to it,
    /// would keep in whoever was dismissed.</summary>
    public static readonly TimeSpan Unconfirmed = TimeSpan.FromHours(1);

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SweepEvery = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<Guid, (string Session, Action<Session?> Told)> _watches = new();
    private DateTimeOffset _sweptAt = DateTimeOffset.MinValue;

    /// <summary>Begins a session, and says so in the audit log.</summary>
    /// <param name="name">Who, as the audit log calls them.</param>
    public async Task<ClaimsPrincipal> OpenAsync(string name, string role, string? grant, CancellationToken cancellationToken)
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
        return Schemes.Principal(name, role, Schemes.Cookie, secret);
    }

    /// <summary>Ends a session, and says so in the audit log; its open pages are thrown out.</summary>
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

    /// <summary>Ends every session of the user that this one is of, in whichever browser.</summary>
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

    /// <summary>It is being used: its end moves on, as its cookie's does, until it is too old.</summary>
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
            // It ends when it would have; whoever looks goes on looking.
        }
    }

    /// <summary>The session as it is now; null: it is over.</summary>
    public async Task<Session?> FindAsync(string id, CancellationToken cancellationToken) =>
        (await ReadAsync([id], cancellationToken)).SingleOrDefault();

    /// <summary>The user as they are now: their role may have changed, or their session ended, since they were recognised.</summary>
    /// <returns>Null: nobody any more.</returns>
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
            // What they do now needs the database as well, and looking must go on without it.
            return user;
        }
    }

    /// <returns>The same user, if nothing changed; null: nobody any more.</returns>
    public static ClaimsPrincipal? Current(ClaimsPrincipal user, Session? session) =>
        session is null ? null
        : session.Role == Roles.Of(user) ? user
        : Schemes.Principal(session.Name, session.Role, Schemes.Cookie, user.FindFirst(Schemes.SessionClaim)?.Value);

    /// <summary>Tells of the session every two seconds, and at once when this process ends it.</summary>
    /// <param name="told">With null when it is over; must return at once and never throw.</param>
    public IDisposable Watch(string id, Action<Session?> told)
    {
        var key = Guid.NewGuid();
        _watches[key] = (id, told);
        return new Subscription(() => _watches.TryRemove(key, out _));
    }

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        // While the database is away everybody stays who they were.
        if (gate.IsOpen)
        {
            await TellAsync(stoppingToken);
            if (Clock.GetUtcNow() - _sweptAt >= SweepEvery)
            {
                _sweptAt = Clock.GetUtcNow();
                await using var db = await contexts.CreateDbContextAsync(stoppingToken);
                await db.Sessions.Where(session => session.ExpiresAt <= _sweptAt).ExecuteDeleteAsync(stoppingToken);
            }
        }

        return LookEvery;
    }

    private async Task TellAsync(CancellationToken cancellationToken)
    {
        var watches = _watches.Values.ToList();
        if (watches.Count == 0)
        {
            return;
        }

        var sessions = (await ReadAsync([.. watches.Select(watch => watch.Session).Distinct()], cancellationToken)).ToDictionary(session =>
            session.Id
        );
        foreach (var (id, told) in watches)
        {
            told(sessions.GetValueOrDefault(id));
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
