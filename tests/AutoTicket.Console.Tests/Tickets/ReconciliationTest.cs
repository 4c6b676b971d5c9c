using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Mailbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Tickets;

/// <summary>Files tickets, waits for a comparison, and reads its findings.</summary>
public abstract class ReconciliationTest
{
    private protected static readonly Dictionary<string, string?> Settings = new()
    {
        ["Ticketing:ReconcileInterval"] = "00:00:01",
        ["Ticketing:SyncInterval"] = "00:00:01",
    };

    internal static async Task<long> FileAsync(InvestigateDriver driver, string name, string tag)
    {
        var draft = new TicketDraft(
            AlertIdentity.Of("test", name, null, []),
            null,
            Severity.P2,
            tag,
            AuditActions.AlertTicketFiled,
            "test",
            $"[P2] {name}",
            [],
            IsForAlert: true
        );
        TicketOutcome? outcome = null;
        await Eventually.TrueAsync(
            async () => (outcome = await driver.Console.Get<TicketingService>().FileAsync(draft)).Ticket is not null,
            "the ticket is filed"
        );
        return outcome!.Ticket!.Id;
    }

    /// <summary>Waits for a comparison that begins after this call.</summary>
    /// <param name="soon">True starts the comparison at once, like the Refresh button. False waits for the interval.</param>
    private protected static async Task ComparedAsync(InvestigateDriver driver, bool soon = true)
    {
        for (var time = 0; time < 2; time++)
        {
            var before = await AtAsync();
            if (soon)
            {
                driver.Console.Get<Reconciler>().CompareSoon();
            }

            await Eventually.TrueAsync(async () => await AtAsync() > before, "a comparison is done");
        }

        async Task<DateTimeOffset> AtAsync() =>
            (await FindingsAsync(driver)).GetProperty("reconciled_at") is { ValueKind: JsonValueKind.String } at
                ? at.GetDateTimeOffset()
                : DateTimeOffset.MinValue;
    }

    private protected static Task<JsonElement> FindingsAsync(InvestigateDriver driver) =>
        driver.Console.Http.GetFromJsonAsync<JsonElement>(new Uri("/api/tickets/findings", UriKind.Relative));

    private protected static async Task<IEnumerable<string>> SeenAsync(InvestigateDriver driver) =>
        Sorted([
            .. (await FindingsAsync(driver))
                .GetProperty("findings")
                .EnumerateArray()
                .Select(finding =>
                    string.Join(
                        ' ',
                        finding.GetProperty("repaired").GetBoolean() ? "repaired" : finding.GetProperty("class").GetString(),
                        finding.GetProperty("kind").GetString(),
                        finding.GetProperty("conversation_id").GetInt64()
                    )
                ),
        ]);

    private protected static async Task<IReadOnlyList<string>> RepairsAsync(InvestigateDriver driver)
    {
        await using var db = driver.Database.Open();
        return
        [
            .. (await db.AuditLog.AsNoTracking().Where(entry => entry.Action == AuditActions.TicketReconciled).ToListAsync())
                .Select(entry => JsonSerializer.Deserialize<JsonElement>(entry.Payload))
                .Select(payload => $"{payload.GetProperty("repair").GetString()} {payload.GetProperty("conversation_id").GetInt64()}"),
        ];
    }

    private protected static IEnumerable<string> Sorted(params string[] findings) => findings.Order(StringComparer.Ordinal);
}
