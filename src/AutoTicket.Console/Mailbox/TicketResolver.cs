using System.Collections.Concurrent;
using System.Text.Json.Serialization;
using AutoTicket.FreeScout;
using Microsoft.Extensions.Options;

namespace AutoTicket.Mailbox;

/// <summary>Outcome for one ticket.</summary>
public enum Resolution
{
    Resolved,

    /// <summary>Another person closed it first, or it is gone: the console did nothing.</summary>
    AlreadyClosed,

    /// <summary>It is not among the open tickets that the console shows: the console did nothing.</summary>
    NotOpen,

    /// <summary>It is still open, as far as is known.</summary>
    Failed,
}

/// <param name="Ids">The conversations.</param>
/// <param name="Note">The text of each ticket's note; may hold <see cref="ResolutionNote.Evidence"/>, which is also the default.</param>
public sealed record ResolveRequest(IReadOnlyList<long> Ids, string? Note);

/// <param name="Message">One sentence for the operator.</param>
public sealed record ResolutionOutcome(long Id, Resolution Result, string Message)
{
    /// <summary>Null: it was not open.</summary>
    [JsonIgnore]
    public OpenTicket? Ticket { get; init; }
}

/// <summary>Resolves tickets in FreeScout for an operator, each with a note and an audit entry. A failure of one does not stop the
/// others.</summary>
internal sealed partial class TicketResolver(
    FreeScoutClient freeScout,
    FreeScoutHealth health,
    OpenTickets open,
    RecoveredTickets recovered,
    ResolutionLog record,
    EffectsUnderWay effects,
    IOptions<FreeScoutOptions> options,
    ILogger<TicketResolver> logger
)
{
    /// <summary>The most tickets of one request.</summary>
    public const int Most = 500;

    private const int AtOnce = 4;

    private readonly ConcurrentDictionary<long, bool> _underWay = new();

    /// <summary>Why no ticket can be resolved; null when they can.</summary>
    public string? NotSetUp =>
        options.Value.UserId is null
            ? "Tickets can't be resolved here: FREESCOUT_USER_ID is not set. "
                + "It is the number of the FreeScout agent in whose name they are resolved."
            : null;

    /// <summary>Resolves each ticket, even after the caller has disconnected.</summary>
    /// <param name="ended">Called as each ticket ends.</param>
    /// <param name="onlyRecovered">A ticket that has left the worklist when its turn comes fails and stays open.</param>
    /// <param name="stop">When canceled, no further ticket is begun, and those that have begun are finished.</param>
    /// <returns>An outcome for each ticket that was begun.</returns>
    public Task<IReadOnlyList<ResolutionOutcome>> ResolveAsync(
        ResolveRequest request,
        string actor,
        Action<ResolutionOutcome>? ended = null,
        bool onlyRecovered = false,
        CancellationToken stop = default
    ) => effects.Track(ResolveAllAsync(request, actor, ended, onlyRecovered, stop));

    private async Task<IReadOnlyList<ResolutionOutcome>> ResolveAllAsync(
        ResolveRequest request,
        string actor,
        Action<ResolutionOutcome>? ended,
        bool onlyRecovered,
        CancellationToken stop
    )
    {
        var ids = request.Ids.Distinct().ToList();
        var note = string.IsNullOrWhiteSpace(request.Note) ? ResolutionNote.Evidence : CleanText.Of(request.Note);
        var user = options.Value.UserId ?? throw new InvalidOperationException(NotSetUp);
        var worklist = (await recovered.ReadAsync(CancellationToken.None)).ToDictionary(one => one.Ticket.Id);
        var outcomes = new ConcurrentDictionary<long, ResolutionOutcome>();
        await Parallel.ForEachAsync(
            ids,
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce },
            async (id, _) =>
            {
                if (stop.IsCancellationRequested)
                {
                    return;
                }

                var outcome = open.Current.Tickets.FirstOrDefault(ticket => ticket.Id == id) is { } ticket
                    ? await ResolveOneAsync(ticket, HtmlOf(ticket), user, actor) with
                    {
                        Ticket = ticket,
                    }
                    : new(id, Resolution.NotOpen, "It is not among the open tickets.");
                outcomes[id] = outcome;
                ended?.Invoke(outcome);
            }
        );
        return [.. ids.Select(id => outcomes.GetValueOrDefault(id)).OfType<ResolutionOutcome>()];

        // With the evidence of this moment: during a long attempt, a surface may go down again.
        string? HtmlOf(OpenTicket ticket)
        {
            var now = recovered.Find(ticket, worklist.GetValueOrDefault(ticket.Id));
            return now is null && onlyRecovered
                ? null
                : ResolutionNote.Html(note, now is null ? null : ResolutionNote.EvidenceOf(now), actor);
        }
    }

    /// <param name="html">The note; null: the ticket has left the worklist.</param>
    private async Task<ResolutionOutcome> ResolveOneAsync(OpenTicket ticket, string? html, long user, string actor)
    {
        if (html is null)
        {
            return new(ticket.Id, Resolution.Failed, "Not tried: its surface failed again, or has no new reading.");
        }

        if (health.Failure is { NeedsPerson: true } failing)
        {
            return new(ticket.Id, Resolution.Failed, $"Not tried: {failing.Message}");
        }

        if (effects.IsEnding)
        {
            return new(ticket.Id, Resolution.Failed, "Not tried: the console is stopping. Try again in a moment.");
        }

        if (!_underWay.TryAdd(ticket.Id, true))
        {
            return new(ticket.Id, Resolution.Failed, "It is being resolved right now.");
        }

        try
        {
            return await NoteAndCloseAsync(ticket, html, user, actor);
        }
        finally
        {
            _underWay.TryRemove(ticket.Id, out _);
        }
    }

    private async Task<ResolutionOutcome> NoteAndCloseAsync(OpenTicket ticket, string html, long user, string actor)
    {
        var (found, failure) = await freeScout.FindAsync(ticket.Id, CancellationToken.None, withThreads: true);
        if (failure is { IsOfRequest: true })
        {
            // Its threads may be too long to read.
            (found, failure) = await freeScout.FindAsync(ticket.Id, CancellationToken.None);
        }

        if (failure is not null)
        {
            return Failed(ticket.Id, failure.Message);
        }

        if (found is not { IsOpen: true })
        {
            await record.ClosedElsewhereAsync(ticket, found?.ClosedByName);
            return new(
                ticket.Id,
                Resolution.AlreadyClosed,
                found is null
                    ? "FreeScout no longer has it."
                    : $"It was closed already{(found.ClosedByName is { } who ? $", by {who}" : "")}."
            );
        }

        // Written before FreeScout is changed: if the end entry is missing later, the next comparison finds this one.
        var (begun, unaudited) = await record.BeginAsync(ticket, actor);
        if (unaudited is not null)
        {
            return Failed(ticket.Id, $"Not resolved: {unaudited}, so it could not be audited. Try again.");
        }

        // The note comes before the close. A note that an earlier try left is not written again.
        if (!found.Holds(html) && await freeScout.AddNoteAsync(ticket.Id, user, html, CancellationToken.None) is { } unwritten)
        {
            var what = unwritten.MayHaveCreated
                ? "The note may have been written; the ticket stays open"
                : "The note was not written, and the ticket stays open";
            return Failed(ticket.Id, $"{what}: {unwritten.Message}");
        }

        if (await freeScout.CloseAsync(ticket.Id, user, CancellationToken.None) is { } unclosed)
        {
            return Failed(ticket.Id, $"The note is written, but the ticket may still be open: {unclosed.Message}");
        }

        var unended = await record.EndAsync(begun, isResolved: true);
        return new(
            ticket.Id,
            Resolution.Resolved,
            unended is null ? "Resolved." : $"Resolved, but {unended}: the audit log gets the entry later."
        );
    }

    private ResolutionOutcome Failed(long id, string message)
    {
        Log.Failed(logger, id, message);
        return new(id, Resolution.Failed, message);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "ticket resolving failed conversation={Conversation}: {Message}")]
        public static partial void Failed(ILogger logger, long conversation, string message);
    }
}
