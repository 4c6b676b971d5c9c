using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Security;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Storage;

/// <summary>Every table has a retention.</summary>
public sealed class RetentionTests
{
    private readonly StillClock _clock = new();

    [Theory, BothDatabases]
    public async Task Rows_past_their_retention_are_deleted_and_open_or_younger_ones_stay(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var db = database.Open();
        db.Leases.Add(
            new LeaseRow
            {
                Name = LeaderLease.Name,
                Owner = "another",
                Until = _clock.GetUtcNow().AddMinutes(5),
                Fence = 1,
            }
        );
        await db.SaveChangesAsync();
        await using var console = await ConsoleHost.StartAsync(database, clock: _clock);
        foreach (var (name, days) in (ReadOnlySpan<(string, int)>)[("old", -366), ("young", -364)])
        {
            var at = _clock.GetUtcNow().AddDays(days);
            db.AuditLog.Add(
                new AuditEntry
                {
                    CreatedAt = at,
                    Action = name,
                    Actor = "somebody",
                    Payload = "{}",
                }
            );
            db.SurfaceHours.Add(
                new SurfaceHour
                {
                    SurfaceKey = name,
                    Hour = at,
                    KnownMs = 1,
                    UpMs = 1,
                }
            );
            db.FloodBreaker.AddRange(Flood($"{name}-closed", FloodState.Closed, at), Flood($"{name}-tripped", FloodState.Tripped, at));
            db.Tickets.AddRange(Filed($"{name}-closed", TicketState.Closed, at), Filed($"{name}-open", TicketState.Open, at));
        }

        var lately = Filed("old-closed-lately", TicketState.Closed, _clock.GetUtcNow().AddDays(-366));
        db.Tickets.Add(lately with { ClosedAt = _clock.GetUtcNow() });
        db.Sessions.AddRange(SignedIn("over", _clock.GetUtcNow()), SignedIn("on", _clock.GetUtcNow().AddDays(1)));
        var lockout = console.Get<Lockout>();
        await lockout.FailedAsync("old", default);
        await db.SaveChangesAsync();

        var steps = 0;
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(5),
            () => Task.FromResult(++steps > 30),
            "half a minute passes",
            TimeSpan.FromMilliseconds(100)
        );
        Assert.Equal(2, await db.SurfaceHours.CountAsync());
        await db.Leases.ExecuteDeleteAsync();
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(5),
            async () =>
                !await db.SurfaceHours.AnyAsync(hour => hour.SurfaceKey == "old")
                && !await db.AuditLog.AnyAsync(entry => entry.Actor == "somebody" && entry.Action == "old")
                && !await db.FloodBreaker.AnyAsync(breaker => breaker.Scope == "old-closed")
                && !await db.Tickets.AnyAsync(ticket => ticket.Marker == "old-closed")
                && !await db.Sessions.AnyAsync(session => session.Id == "over"),
            "the leader deletes old rows"
        );

        Assert.Equal(["young"], await db.AuditLog.Where(entry => entry.Actor == "somebody").Select(entry => entry.Action).ToListAsync());
        Assert.Equal(["young"], await db.SurfaceHours.Select(hour => hour.SurfaceKey).ToListAsync());
        var breakers = await db.FloodBreaker.Select(breaker => breaker.Scope).ToListAsync();
        Assert.Equal(["old-tripped", "young-closed", "young-tripped"], breakers.Order(StringComparer.Ordinal));
        var left = await db.Tickets.Select(ticket => ticket.Marker).ToListAsync();
        Assert.Equal(["old-closed-lately", "old-open", "young-closed", "young-open"], left.Order(StringComparer.Ordinal));
        Assert.Equal(["on"], await db.Sessions.Select(session => session.Id).ToListAsync());

        _clock.Advance(Lockout.Window);
        await lockout.FailedAsync("young", default);
        Assert.Equal(["young"], await db.SignInFailures.Select(failure => failure.Address).ToListAsync());
    }

    [Fact]
    public async Task A_table_whose_rows_cannot_be_deleted_in_time_is_logged_and_does_not_keep_the_others()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await database.CancelAsync("DELETE", "surface_hours", "EXISTS (SELECT FROM changed)");
        await using var db = database.Open();
        var at = TimeProvider.System.GetUtcNow().AddDays(-366);
        db.SurfaceHours.Add(new SurfaceHour { SurfaceKey = "old", Hour = at });
        db.Tickets.Add(Filed("old-closed", TicketState.Closed, at));
        db.AuditLog.Add(
            new AuditEntry
            {
                CreatedAt = at,
                Action = "old",
                Actor = "somebody",
                Payload = "{}",
            }
        );
        await db.SaveChangesAsync();

        await using var console = await ConsoleHost.StartAsync(database);

        await Eventually.TrueAsync(
            async () =>
                !await db.Tickets.AnyAsync(ticket => ticket.Marker == "old-closed")
                && !await db.AuditLog.AnyAsync(entry => entry.Actor == "somebody"),
            "the other tables are cleaned"
        );
        Assert.Equal(1, await db.SurfaceHours.CountAsync());
        Assert.Contains(
            console.Log,
            line =>
                line.StartsWith("WARNING", StringComparison.Ordinal)
                && line.Contains("old rows are not deleted yet by DELETE FROM surface_hours", StringComparison.Ordinal)
        );
    }

    private Session SignedIn(string id, DateTimeOffset until) =>
        new()
        {
            Id = id,
            Name = "somebody",
            Role = Roles.Viewer,
            Authority = "test",
            CreatedAt = _clock.GetUtcNow(),
            ExpiresAt = until,
            CheckedAt = _clock.GetUtcNow(),
        };

    private static FloodRow Flood(string scope, FloodState state, DateTimeOffset at) =>
        new()
        {
            Scope = scope,
            State = state,
            Since = at,
        };

    private static Ticket Filed(string marker, TicketState state, DateTimeOffset at) =>
        new()
        {
            Marker = marker,
            DedupKey = marker,
            Severity = Severity.P2,
            State = state,
            FiledBy = "test",
            Subject = marker,
            AuditAction = AuditActions.AlertTicketFiled,
            Tag = TicketTags.Alert,
            PostedAt = at,
            ClosedAt = state == TicketState.Closed ? at : null,
        };
}
