using System.Net;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Surfaces;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tickets;

/// <summary>Writes a note on a ticket when its alert changes severity or ends. A note is retried until FreeScout has it or refuses it, and
/// never opens or closes a ticket.</summary>
internal sealed class TicketNotes(FreeScoutClient freeScout, TicketStore store, IOptions<FreeScoutOptions> options)
{
    public async Task<(HookOutcome Outcome, FreeScoutFailureKind? Failure)> WriteAsync(
        AlertNotice notice,
        CancellationToken cancellationToken
    )
    {
        var alert = notice.Alert;
        if (notice.Ticket is not { } ticket)
        {
            return (new(notice, true, DecisionWord.NoTicket), null);
        }

        var (found, failure) = await freeScout.FindAsync(ticket.Id, cancellationToken, withThreads: true);
        if (failure is not null)
        {
            return Failed(failure);
        }

        if (found is not { IsOpen: true })
        {
            return (
                new(notice, true, DecisionWord.TicketClosed, $"Ticket {TicketNumber.Of(ticket.Number)} is closed: it needs no note."),
                null
            );
        }

        if (notice.Kind == NoticeKind.SeverityChanged)
        {
            await store.SetSeverityAsync(ticket.Id, alert.Severity, cancellationToken);
        }

        if (options.Value.UserId is not { } user)
        {
            return (new(notice, true, DecisionWord.NoNote, "FREESCOUT_USER_ID is not set: no note is written."), null);
        }

        // A time makes each text unique on its ticket, so a note whose answer was lost is found by its text.
        var text =
            notice.Kind == NoticeKind.SeverityChanged
                ? $"Severity is {alert.Severity} now; it was {notice.LastDelivery?.Severity} when last reported "
                    + $"at {UtcTime.Stamp(notice.LastDelivery?.At ?? alert.OpenedAt)}."
            : alert.Status == AlertStatus.Expired
                ? $"No report since {UtcTime.Stamp(alert.SeenAt)}; expired at {UtcTime.Stamp(alert.EndedAt!.Value)}. "
                    + "The problem may still exist."
            : $"Recovered at {UtcTime.Stamp(alert.EndedAt!.Value)}, after {UtcTime.Age(alert.EndedAt.Value - alert.StartedAt)}. "
                + "Resolve the ticket when nothing is left to do.";
        var html = $"<p>{WebUtility.HtmlEncode(text)}</p>";
        var noteFailure = found.Holds(html) ? null : await freeScout.AddNoteAsync(ticket.Id, user, html, cancellationToken);
        return noteFailure switch
        {
            null => (
                new(notice, true, notice.Kind == NoticeKind.SeverityChanged ? DecisionWord.SeverityNoted : DecisionWord.EndNoted, text),
                null
            ),
            { Kind: FreeScoutFailureKind.Refused } => (
                new(notice, true, DecisionWord.NoteRefused, $"FreeScout refused the note, so it is not tried again: {noteFailure.Message}"),
                null
            ),
            _ => Failed(noteFailure),
        };

        (HookOutcome, FreeScoutFailureKind?) Failed(FreeScoutFailure failure) =>
            (new(notice, false, DecisionWord.Degraded(failure.Kind), failure.Message), failure.Kind);
    }
}
