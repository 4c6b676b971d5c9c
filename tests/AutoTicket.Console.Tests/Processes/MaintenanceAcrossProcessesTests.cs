using System.Net;
using System.Net.Http.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

/// <summary>Maintenance is started and ended in one process while another one leads, and the leader is killed at its end.</summary>
public sealed class MaintenanceAcrossProcessesTests : Replicas
{
    private static readonly TimeSpan Soon = Eventually.OnABusyMachine(TimeSpan.FromSeconds(1));

    [Fact]
    [Trait("Pitfall", "T-55")]
    public async Task An_outage_in_maintenance_is_told_once_after_its_end_though_the_leader_is_killed()
    {
        var (leader, others) = await StartAsync(2, NotifyingSettings);
        var other = others[0];
        await ShowsAsync(other, "operational", Soon);
        Assert.Equal(HttpStatusCode.OK, (await StartMaintenanceAsync(other)).Status);
        foreach (var console in new IConsole[] { leader, other })
        {
            await ShowsAsync(console, "maintenance", Soon);
        }

        Pay.Answer(503);
        await Eventually.TrueAsync(async () => await HeldAsync() == 2, "both hooks hold the outage");
        Assert.Empty(DirectMessages);
        Assert.Empty(All.TicketsOf("pay"));

        // Frozen, so that it does not send a DM which it can't record any more.
        leader.Freeze();
        Assert.Equal(HttpStatusCode.NoContent, (await other.AskAsync(HttpMethod.Delete, "/api/surfaces/pay/maintenance")).Status);
        await leader.KillAsync();

        await Eventually.TrueAsync(async () => await DeliveredAsync() == 2, "the other console files and sends");
        await Eventually.TrueAsync(() => Leads(other), "the other console leads");
        Pay.Answer();
        await AssertNotifiedOnceAsync();
        await using var db = All.Database.Open();
        Assert.Equal(
            [AuditActions.MaintenanceStarted, AuditActions.MaintenanceEnded],
            await db
                .AuditLog.Where(entry => entry.Action.StartsWith("console.maintenance."))
                .OrderBy(entry => entry.Id)
                .Select(entry => entry.Action)
                .ToListAsync()
        );
    }

    private static Task<Answer> StartMaintenanceAsync(IConsole console) =>
        console.AskAsync(
            HttpMethod.Post,
            "/api/surfaces/pay/maintenance",
            JsonContent.Create(new { @for = "1h", reason = "database upgrade" })
        );

    private async Task<int> HeldAsync()
    {
        await using var db = All.Database.Open();
        return await db.Decisions.CountAsync(decision => decision.Word == DecisionWord.InMaintenance);
    }
}
