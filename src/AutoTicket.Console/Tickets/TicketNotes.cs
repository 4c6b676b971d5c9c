using System.Globalization;
using System.Net;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tickets;

/// <summary>Notes on a ticket about what became of its alert. A note is retried until it is posted; it never opens or closes anything.</summary>
internal sealed class TicketNotes(FreeScoutClient freeScout, TicketClaims claims, IOptions<FreeScoutOptions> options)
{
    public async Task<HookOutcome> WriteAsync(AlertNotice notice, CancellationToken cancellationToken)
    {
        var alert = notice.Alert;
        if (notice.Ticket is not { } ticket)
        {
            return new(notice, true, "no ticket");
        }

        var (found, failure) = await freeScout.FindAsync(ticket.Id, cancellationToken);
        if (failure is not null)
        {
            return new(notice, false, $"degraded: {Words.Of(failure.Kind)}", failure.Message);
        }

        if (found is not { IsOpen: true })
        {
            return new(notice, true, "ticket closed", $"Ticket #{ticket.Number} is closed: it needs no note.");
        }

        if (notice.Kind == NoticeKind.SeverityChanged)
        {
            await claims.SetSeverityAsync(ticket.Id, alert.Severity, cancellationToken);
        }

        if (options.Value.UserId is not { } user)
        {
            return new(notice, true, "no note", "FREESCOUT_USER_ID is not set: no note is written.");
        }

        var text = notice.Kind == NoticeKind.SeverityChanged ? $"Severity is {alert.Severity} now; it was {notice.Told?.Severity}."
            : alert.Status == AlertStatus.Expired ? $"Nothing was heard of it since {UtcTime.Stamp(alert.SeenAt)}: it expired at {UtcTime.Stamp(alert.EndedAt!.Value)}. That is not a recovery."
            : $"Recovered at {UtcTime.Stamp(alert.EndedAt!.Value)}, after {Investigator.Age(alert.EndedAt.Value - alert.StartedAt)}. Resolve the ticket when nothing is left to do.";
        return await freeScout.AddNoteAsync(ticket.Id, user, $"<p>{WebUtility.HtmlEncode(text)}</p>", cancellationToken) is { } unposted
            ? new(notice, false, $"degraded: {Words.Of(unposted.Kind)}", unposted.Message)
            : new(notice, true, notice.Kind == NoticeKind.SeverityChanged ? "severity noted" : "end noted", text);
    }
}
