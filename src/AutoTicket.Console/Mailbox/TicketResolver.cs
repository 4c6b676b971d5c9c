using System.Collections.Concurrent;
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
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsDone => Result is Resolution.Resolved or Resolution.AlreadyClosed;
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
    public Task<IReadOnlyList<ResolutionOutcome>> ResolveAsync(
        ResolveRequest request,
        string actor,
        Action<ResolutionOutcome>? ended = null
    ) => effects.Track(ResolveAllAsync(request, actor, ended));

    private async Task<IReadOnlyList<ResolutionOutcome>> ResolveAllAsync(
        ResolveRequest request,
        string actor,
        Action<ResolutionOutcome>? ended
    )
    {
        var ids = request.Ids.Distinct().ToList();
        var note = string.IsNullOrWhiteSpace(request.Note) ? ResolutionNote.Evidence : CleanText.Of(request.Note);
        var user = options.Value.UserId ?? throw new InvalidOperationException(NotSetUp);
        var evidence = (await recovered.ReadAsync(CancellationToken.None)).ToDictionary(one => one.Ticket.Id, ResolutionNote.EvidenceOf);
        var outcomes = new ConcurrentDictionary<long, ResolutionOutcome>();
        await Parallel.ForEachAsync(
            ids,
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce },
            async (id, _) =>
            {
                var outcome = await ResolveOneAsync(id, ResolutionNote.Html(note, evidence.GetValueOrDefault(id), actor), user, actor);
                outcomes[id] = outcome;
                ended?.Invoke(outcome);
            }
        );
        return ids.ConvertAll(id => outcomes[id]);
    }

    private async Task<ResolutionOutcome> ResolveOneAsync(long id, string html, long user, string actor)
    {
        if (open.Current.Tickets.FirstOrDefault(ticket => ticket.Id == id) is not { } ticket)
        {
            return new(id, Resolution.NotOpen, "It is not among the open tickets.");
        }

        if (health.Failure is { NeedsPerson: true } failing)
        {
            return new(id, Resolution.Failed, $"Not tried: {failing.Message}");
        }

        if (effects.IsEnding)
        {
            return new(id, Resolution.Failed, "Not tried: the console is stopping. Try again in a moment.");
        }

        if (!_underWay.TryAdd(id, true))
        {
            return new(id, Resolution.Failed, "It is being resolved right now.");
        }

        try
        {
            return await NoteAndCloseAsync(ticket, html, user, actor);
        }
        finally
        {
            _underWay.TryRemove(id, out _);
        }
    }

    private async Task<ResolutionOutcome> NoteAndCloseAsync(OpenTicket ticket, string html, long user, string actor)
    {
        var (found, failure) = await freeScout.FindAsync(ticket.Id, CancellationToken.None, withThreads: true);
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
        if (await record.BeginAsync(ticket, actor) is not { } begun)
        {
            return Failed(ticket.Id, "Not tried: the console's database can't be reached, so it could not be audited. Try again.");
        }

        // The note comes before the close. A note that an earlier try left is not written again.
        if (!found.Holds(html) && await freeScout.AddNoteAsync(ticket.Id, user, html, CancellationToken.None) is { } unwritten)
        {
            return Failed(ticket.Id, $"The note was not written, and the ticket stays open: {unwritten.Message}");
        }

        if (await freeScout.CloseAsync(ticket.Id, user, CancellationToken.None) is { } unclosed)
        {
            return Failed(ticket.Id, $"The note is written, but the ticket may still be open: {unclosed.Message}");
        }

        return await record.EndAsync(begun, isResolved: true)
            ? new(ticket.Id, Resolution.Resolved, "Resolved.")
            : new(
                ticket.Id,
                Resolution.Resolved,
                "Resolved. The console's database can't be reached just now: the audit log gets the entry later."
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
