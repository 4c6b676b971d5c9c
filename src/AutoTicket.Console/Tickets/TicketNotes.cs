using System.Net;
using System.Text.RegularExpressions;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Surfaces;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tickets;

/// <summary>Writes a note on an open ticket when its alert changes severity, ends or fires again. A note of a change or an end is retried
/// until FreeScout has it or refuses it, one that an alert fires again once. A note never opens or closes a ticket. A flapping alert gets a
/// pair of notes a quiet period.</summary>
internal sealed partial class TicketNotes(
    FreeScoutClient freeScout,
    TicketStore store,
    IOptions<FreeScoutOptions> options,
    IOptions<AlertsOptions> alerts,
    TimeProvider clock
)
{
    private const string Recovered = "Recovered at ";
    private const string Expired = "No report since ";
    private const string FiresAgain = "Fires again since ";

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
        var unreadable = failure is { IsOfRequest: true } ? failure : null;
        if (unreadable is not null)
        {
            // Its threads may be too long to read. Without them it is not known what the last note says.
            (found, failure) = await freeScout.FindAsync(ticket.Id, cancellationToken);
        }

        if (failure is not null)
        {
            return NotWritten(failure);
        }

        if (found is not { IsOpen: true })
        {
            return (
                new(notice, true, DecisionWord.TicketClosed, $"Ticket {TicketNumber.Of(ticket.Number)} is closed: it needs no note."),
                null
            );
        }

        if (notice.Kind == NoticeKind.Ended && await store.FiresAgainAsync(alert, cancellationToken))
        {
            return (new(notice, true, DecisionWord.NoNote, "The alert fires again and has its ticket, so its end is not noted."), null);
        }

        if (IsOfSeverity(notice))
        {
            await store.SetSeverityAsync(ticket.Id, alert.Severity, cancellationToken);
        }

        if (options.Value.UserId is not { } user)
        {
            return (new(notice, true, DecisionWord.NoNote, "FREESCOUT_USER_ID is not set: no note is written."), null);
        }

        if (unreadable is not null)
        {
            return NotWritten(unreadable);
        }

        // A time makes each text unique on its ticket, so a note whose answer was lost is found by its text.
        var (text, decision) = notice.Kind switch
        {
            _ when IsOfSeverity(notice) => (
                $"Severity is {alert.Severity} now; it was {notice.LastDelivery?.Severity} when last reported "
                    + $"at {UtcTime.Stamp(notice.LastDelivery?.At ?? alert.OpenedAt)}.",
                DecisionWord.SeverityNoted
            ),
            NoticeKind.Ended when alert.Status == AlertStatus.Expired => (
                $"{Expired}{UtcTime.Stamp(alert.SeenAt)}; expired at {UtcTime.Stamp(alert.EndedAt!.Value)}. The problem may still exist.",
                DecisionWord.EndNoted
            ),
            NoticeKind.Ended => (
                $"{Recovered}{UtcTime.Stamp(alert.EndedAt!.Value)}, after {UtcTime.Age(alert.EndedAt.Value - alert.StartedAt)}. "
                    + "Resolve the ticket when nothing is left to do.",
                DecisionWord.EndNoted
            ),
            _ => ($"{FiresAgain}{UtcTime.Stamp(alert.StartedAt)}. Severity is {alert.Severity} now.", DecisionWord.AlreadyOpen),
        };
        var html = $"<p>{WebUtility.HtmlEncode(text)}</p>";
        // A producer may repeat the time of the beginning.
        var isWritten = (notice.Kind == NoticeKind.Ended || IsOfSeverity(notice)) && found.Holds(html);
        if (!isWritten && !IsNews(notice, found))
        {
            return (new(notice, true, DecisionWord.NoNote, "The ticket's tag shows the severity. The last note is still recent."), null);
        }

        var noteFailure = isWritten ? null : await freeScout.AddNoteAsync(ticket.Id, user, html, cancellationToken);
        return noteFailure is null ? (new(notice, true, decision, text), null) : NotWritten(noteFailure);

        (HookOutcome, FreeScoutFailureKind?) NotWritten(FreeScoutFailure failure) =>
            failure.Kind == FreeScoutFailureKind.Refused
                ? (new(notice, true, DecisionWord.NoteRefused, $"The note is not tried again: {failure.Message}"), null)
                : (new(notice, false, DecisionWord.Degraded(failure.Kind), failure.Message), failure.Kind);
    }

    /// <summary>Whether the notes on the ticket leave something to say. Of a severity that rises and falls, one fall a quiet period is
    /// noted, and a rise only above the last noted severity. So the last note never names a lower severity than fires.</summary>
    private bool IsNews(AlertNotice notice, Conversation ticket)
    {
        if (notice.Kind == NoticeKind.Ended)
        {
            return true;
        }

        var notes = ticket.Threads.Where(thread => thread.Kind == ThreadKind.Note).ToList();
        if (!IsOfSeverity(notice))
        {
            return notes.FindLast(note => IsEnd(note.Text) || note.Text.StartsWith(FiresAgain, StringComparison.Ordinal)) is { } last
                && IsEnd(last.Text);
        }

        var noted = notes.Select(note => (note.CreatedAt, Match: Noted().Match(note.Text))).Where(note => note.Match.Success).ToList();
        return notice.Alert.Severity < notice.LastDelivery?.Severity
            ? noted.Count == 0 || notice.Alert.Severity < Enum.Parse<Severity>(noted[^1].Match.Groups["now"].Value)
            : !noted.Exists(note =>
                string.CompareOrdinal(note.Match.Groups["now"].Value, note.Match.Groups["was"].Value) > 0
                && note.Match.Groups["was"].Success
                && alerts.Value.MustWait(alerts.Value.RepeatFrom(note.CreatedAt), clock.GetUtcNow())
            );
    }

    /// <summary>The note names the severity. Of an alert that ended and fires again, the end was not noted yet.</summary>
    private static bool IsOfSeverity(AlertNotice notice) =>
        notice.Kind == NoticeKind.SeverityChanged || notice is { Kind: NoticeKind.FiringAgain, IsWorse: true, IsEndDelivered: false };

    private static bool IsEnd(string note) =>
        note.StartsWith(Recovered, StringComparison.Ordinal) || note.StartsWith(Expired, StringComparison.Ordinal);

    [GeneratedRegex(@"\bSeverity is (?<now>P[1-4]) now(; it was (?<was>P[1-4]))?")]
    private static partial Regex Noted();
}
