using AutoTicket.Audit;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace AutoTicket.Benchmarks;

/// <summary>What the exactly-once protocol costs in the database: each of its two steps beside one bare insert that commits.</summary>
internal static class ClaimAndConfirm
{
    private const int Times = 400;

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        await using var database = await BenchDatabase.StartAsync();
        await using var console = database.BuildConsole();
        var claims = console.Services.GetRequiredService<TicketClaims>();
        await using var connection = await database.Bare.OpenConnectionAsync();
        await using var insert = new NpgsqlCommand("INSERT INTO audit_log (created_at, action, actor, payload) VALUES (now(), $1, $2, $3::jsonb)", connection)
        {
            Parameters =
            {
                new() { Value = AuditActions.InvestigateFiled },
                new() { Value = "somebody" },
                new() { Value = """{"alert_key":"0123456789abcdef","severity":"p2","surface":"pay","conversation_id":1,"ticket_number":1,"url":"http://127.0.0.1/conversation/1","adopted":false}""" },
            },
        };
        Task<double> BareAsync() => Measure.EachAsync(Times, _ => insert.ExecuteNonQueryAsync());

        var claimed = new List<Ticket>();
        var (claim, bareBesideClaim) = await Measure.InterleavedAsync(
            () => Measure.EachAsync(Times, async _ => claimed.Add((await claims.ClaimAsync(Draft(), CancellationToken.None))!)), BareAsync);
        var waiting = new Queue<Ticket>(claimed);
        var number = 0;
        var (confirm, bareBesideConfirm) = await Measure.InterleavedAsync(
            () => Measure.EachAsync(Times, async _ =>
            {
                var link = new TicketLink(++number, number, "http://127.0.0.1/conversation/1", default);
                await claims.ConfirmAsync(waiting.Dequeue(), link, isOpen: true, adopted: false, CancellationToken.None);
            }),
            BareAsync);
        return
        [
            new("G11", "claim a ticket / bare insert", claim, bareBesideClaim, 1.4),
            new("G11", "confirm it with its audit row / bare insert", confirm, bareBesideConfirm, 1.4),
        ];
    }

    private static TicketDraft Draft() => new(
        Convert.ToHexStringLower(Guid.NewGuid().ToByteArray()) + Convert.ToHexStringLower(Guid.NewGuid().ToByteArray()),
        "pay", Severity.P2, OpenTickets.OpenTag, AuditActions.InvestigateFiled, "somebody", "[P2] Pay is down", []);
}
