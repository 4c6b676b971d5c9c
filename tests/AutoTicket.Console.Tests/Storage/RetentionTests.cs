using AutoTicket.Audit;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Storage;

/// <summary>Each table has an end.</summary>
public sealed class RetentionTests
{
    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    [Theory, BothDatabases]
    public async Task What_is_past_its_retention_goes_and_what_is_open_or_younger_stays(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var console = await ConsoleHost.StartAsync(database);
        await using var db = database.Open();
        foreach (var (name, days) in (ReadOnlySpan<(string, int)>)[("old", -366), ("young", -364)])
        {
            var at = Now.AddDays(days);
            db.AuditLog.Add(new AuditEntry { CreatedAt = at, Action = name, Actor = "somebody", Payload = "{}" });
            db.SurfaceHours.Add(new SurfaceHour { SurfaceKey = name, Hour = at, Known = 1, Up = 1 });
            db.Tickets.AddRange(Filed($"{name}-closed", TicketState.Closed, at), Filed($"{name}-open", TicketState.Open, at));
        }

        await db.SaveChangesAsync();

        await console.Get<Retention>().DeleteAsync(default);

        Assert.Equal(["young"], await db.AuditLog.Where(entry => entry.Actor == "somebody").Select(entry => entry.Action).ToListAsync());
        Assert.Equal(["young"], await db.SurfaceHours.Select(hour => hour.SurfaceKey).ToListAsync());
        Assert.Equal(["old-open", "young-closed", "young-open"], (await db.Tickets.Select(ticket => ticket.Marker).ToListAsync()).Order(StringComparer.Ordinal));
    }

    private static Ticket Filed(string marker, TicketState state, DateTimeOffset at) => new()
    {
        Marker = marker,
        DedupKey = marker,
        Severity = Severity.P2,
        State = state,
        FiledBy = "test",
        Subject = marker,
        AuditAction = AuditActions.AlertTicketFiled,
        Tag = OpenTickets.AlertTag,
        PostedAt = at,
        ClosedAt = state == TicketState.Closed ? at : null,
    };
}
