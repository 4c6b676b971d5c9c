using AutoTicket.Audit;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace AutoTicket.Benchmarks;

/// <summary>Database cost of the two steps of the exactly-once protocol, each compared with one committed insert.</summary>
internal static class ClaimAndConfirm
{
    private const int Times = 400;

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        await using var database = await BenchDatabase.StartAsync();
        await using var console = database.BuildConsole();
        var claims = console.Services.GetRequiredService<TicketStore>();
        await using var connection = await database.Bare.OpenConnectionAsync();
        await using var insert = new NpgsqlCommand(
            "INSERT INTO audit_log (created_at, action, actor, payload) VALUES (now(), $1, $2, $3::jsonb)",
            connection
        )
        {
            Parameters =
            {
                new() { Value = AuditActions.InvestigateFiled },
                new() { Value = "somebody" },
                new()
                {
                    Value = """
                        {"alert_key":"0123456789abcdef","severity":"p2","surface":"pay","conversation_id":1,"ticket_number":1,
                        "url":"http://127.0.0.1/conversation/1","adopted":false}
                        """,
                },
            },
        };
        Task<double> BareAsync() => Measure.TimeAsync(() => insert.ExecuteNonQueryAsync());

        var claimed = new Queue<Ticket>();
        var claim = await Measure.AlternatingAsync(
            Times,
            () => Measure.TimeAsync(async () => claimed.Enqueue((await claims.ClaimAsync(Draft())).Claim!)),
            BareAsync
        );
        var number = 0;
        var confirm = await Measure.AlternatingAsync(
            Times,
            () =>
                Measure.TimeAsync(async () =>
                {
                    var link = new TicketLink(++number, number, "http://127.0.0.1/conversation/1", default);
                    await claims.ConfirmAsync(claimed.Dequeue(), link, isOpen: true, adopted: false);
                }),
            BareAsync
        );
        await using var bareClaim = BareClaim(connection);
        var withoutEf = await Measure.AlternatingAsync(
            Times,
            () =>
                Measure.TimeAsync(async () =>
                {
                    bareClaim.Parameters[0].Value = $"at-{Guid.NewGuid():N}";
                    bareClaim.Parameters[1].Value = Draft().DedupKey;
                    await bareClaim.ExecuteScalarAsync();
                }),
            BareAsync
        );
        return
        [
            new("G11", "claim a ticket / bare insert", claim.Ours, claim.Beside, 1.4),
            new("G11", "confirm it with its audit row / bare insert", confirm.Ours, confirm.Beside, 1.4),
            new("", "(the claim's statement without EF / bare insert)", withoutEf.Ours, withoutEf.Beside),
        ];
    }

    private static NpgsqlCommand BareClaim(NpgsqlConnection connection) =>
        new(
            """
            INSERT INTO tickets (marker, dedup_key, surface_key, severity, state, attempt, lease_until, filed_by, audit_action, tag,
                subject, posted_at, tags_pending, empty_lookups)
            VALUES ($1, $2, 'pay', 'p2', 'filing', 1, now(), 'somebody', $3, $4, '[P2] Pay is down', now(), false, 0)
            ON CONFLICT (dedup_key) WHERE state IN ('filing', 'unconfirmed') DO NOTHING
            RETURNING id
            """,
            connection
        )
        {
            Parameters =
            {
                new() { Value = "" },
                new() { Value = "" },
                new() { Value = AuditActions.InvestigateFiled },
                new() { Value = TicketTags.Status },
            },
        };

    private static TicketDraft Draft() =>
        new(
            Convert.ToHexStringLower(Guid.NewGuid().ToByteArray()) + Convert.ToHexStringLower(Guid.NewGuid().ToByteArray()),
            "pay",
            Severity.P2,
            TicketTags.Status,
            AuditActions.InvestigateFiled,
            "somebody",
            "[P2] Pay is down",
            []
        );
}
