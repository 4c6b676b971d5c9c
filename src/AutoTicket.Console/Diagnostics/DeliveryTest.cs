using System.Security.Cryptography;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Slack;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Microsoft.FeatureManagement;

namespace AutoTicket.Diagnostics;

/// <summary>Outcome of a test, with a sentence for the operator.</summary>
/// <param name="Ticket">The test's ticket; null: none was filed.</param>
public sealed record DeliveryTestResult(bool Passed, string Message, TicketLink? Ticket = null);

/// <summary>Sends a test DM, or files and closes a test ticket, for an admin who wants to see it arrive. One test runs at a
/// time.</summary>
internal sealed class DeliveryTest(
    SlackClient slack,
    TicketingService ticketing,
    FreeScoutClient freeScout,
    IFeatureManager flags,
    EffectsUnderWay effects,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<FreeScoutOptions> options,
    TimeProvider clock
)
{
    private int _running;

    /// <summary>Sends one DM to the operator.</summary>
    public Task<DeliveryTestResult> SendDmAsync(string actor) => effects.Track(AloneAsync(() => SendAsync(actor)));

    /// <summary>Files a ticket by the way of every other and closes it at once.</summary>
    public Task<DeliveryTestResult> FileTicketAsync(string actor) => effects.Track(AloneAsync(() => FileAndCloseAsync(actor)));

    private async Task<DeliveryTestResult> AloneAsync(Func<Task<DeliveryTestResult>> test)
    {
        if (Interlocked.Exchange(ref _running, 1) == 1)
        {
            return new(false, "Not tried: another test is running. Try again in a moment.");
        }

        try
        {
            return await test();
        }
        finally
        {
            _running = 0;
        }
    }

    private async Task<DeliveryTestResult> SendAsync(string actor)
    {
        // Written first: a DM of which the audit log knows nothing must not exist.
        try
        {
            await using var db = await contexts.CreateDbContextAsync();
            db.AuditLog.Add(
                new AuditEntry
                {
                    CreatedAt = clock.GetUtcNow(),
                    Action = AuditActions.TestDmSent,
                    Actor = actor,
                    Payload = JsonSerializer.Serialize(new { hook = "slack" }),
                }
            );
            await db.SaveChangesAsync();
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return new(false, "Not sent: the console's database can't be reached, so it could not be audited. Try again.");
        }

        return await slack.SendAsync($"Test by {SlackText.Plain(actor, 100)}: direct messages of AutoTicket Console arrive.") switch
        {
            null => new(true, "The test DM was sent."),
            { MayHaveSent: true } failure => new(false, $"It is not certain whether the test DM was sent: {failure.Message}"),
            { } failure => new(false, $"The test DM was not sent: {failure.Message}"),
        };
    }

    private async Task<DeliveryTestResult> FileAndCloseAsync(string actor)
    {
        // The kill switch of clicks holds for this one, too.
        if (!await flags.IsEnabledAsync(FlagNames.InvestigateFromStatus))
        {
            return new(false, $"Not filed: {FlagNames.InvestigateFromStatus} is off.");
        }

        if (options.Value.UserId is not { } agent)
        {
            return new(false, "Not filed: without FREESCOUT_USER_ID the console could not close the test ticket.");
        }

        var draft = new TicketDraft(
            Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)),
            null,
            Severity.P4,
            TicketTags.Alert,
            AuditActions.TestTicketFiled,
            actor,
            "[P4] Test ticket of AutoTicket Console",
            [("Filed by", actor)]
        )
        {
            FirstLine = "An admin tests whether tickets arrive. The console closes this one at once.",
        };
        var outcome = await ticketing.FileAsync(draft);
        if (outcome.Ticket is not { } ticket)
        {
            var mayExist = outcome.Decision == DecisionWord.LookedUp || outcome.Disposition == TicketDisposition.Unavailable;
            return new(
                false,
                mayExist
                    ? $"It is not certain whether the test ticket was filed: {outcome.Message} If FreeScout has it, the console closes it."
                    : $"The test ticket was not filed: {outcome.Message}"
            );
        }

        var number = TicketNumber.Of(ticket.Number);
        return await freeScout.CloseAsync(ticket.Id, agent, CancellationToken.None) is { } failure
            ? new(false, $"Test ticket {number} was filed, but may still be open: {failure.Message} The console closes it later.", ticket)
            : new(true, $"Test ticket {number} was filed and closed.", ticket);
    }
}
