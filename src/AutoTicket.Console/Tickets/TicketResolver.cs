using System.Collections.Concurrent;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tickets;

/// <summary>How the resolving of one ticket ended.</summary>
public enum Resolution
{
    Resolved,
    /// <summary>Somebody was faster, or it is gone: nothing was done.</summary>
    AlreadyClosed,
    /// <summary>It is not among the open tickets that the console shows: nothing was done.</summary>
    NotOpen,
    /// <summary>It is open still, as far as is known.</summary>
    Failed,
}

/// <param name="Ids">Of the conversations.</param>
/// <param name="Note">Written on each; may hold <see cref="ResolutionNote.Evidence"/>, and is that where it is empty.</param>
public sealed record ResolveRequest(IReadOnlyList<long> Ids, string? Note);

/// <param name="Message">One sentence for the operator.</param>
public sealed record ResolutionOutcome(long Id, Resolution Result, string Message)
{
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsDone => Result is Resolution.Resolved or Resolution.AlreadyClosed;
}

/// <summary>Resolves tickets in FreeScout because an operator says so, each with a note and an audit entry; one that fails costs the others nothing.</summary>
internal sealed partial class TicketResolver(
    FreeScoutClient freeScout,
    FreeScoutHealth health,
    OpenTickets open,
    RecoveredTickets recovered,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<FreeScoutOptions> options,
    TimeProvider clock,
    ILogger<TicketResolver> logger)
{
    /// <summary>The most tickets of one request.</summary>
    public const int Most = 500;

    private const int AtOnce = 4;

    private readonly ConcurrentDictionary<long, bool> _underWay = new();

    /// <summary>Why nothing can be resolved here; null: it can.</summary>
    public string? NotSetUp => options.Value.UserId is null ? "Tickets can't be resolved here: FREESCOUT_USER_ID is not set. It is the number of the FreeScout agent in whose name they are resolved." : null;

    /// <summary>Brings each to its end, also when whoever asked is gone meanwhile.</summary>
    /// <param name="ended">Hears of each as it ends.</param>
    public async Task<IReadOnlyList<ResolutionOutcome>> ResolveAsync(ResolveRequest request, string actor, Action<ResolutionOutcome>? ended = null)
    {
        var ids = request.Ids.Distinct().ToList();
        var note = string.IsNullOrWhiteSpace(request.Note) ? ResolutionNote.Evidence : request.Note;
        var user = options.Value.UserId ?? throw new InvalidOperationException(NotSetUp);
        var evidence = (await recovered.ReadAsync(CancellationToken.None)).ToDictionary(one => one.Ticket.Id, ResolutionNote.EvidenceOf);
        var outcomes = new ConcurrentDictionary<long, ResolutionOutcome>();
        await Parallel.ForEachAsync(ids, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (id, _) =>
        {
            var outcome = await ResolveAsync(id, ResolutionNote.Html(note, evidence.GetValueOrDefault(id), actor), user, actor);
            outcomes[id] = outcome;
            ended?.Invoke(outcome);
        });
        return ids.ConvertAll(id => outcomes[id]);
    }

    private async Task<ResolutionOutcome> ResolveAsync(long id, string html, long user, string actor)
    {
        if (open.Current.Tickets.FirstOrDefault(ticket => ticket.Id == id) is not { } ticket)
        {
            return new(id, Resolution.NotOpen, "It is not among the open tickets.");
        }

        if (health.Failure is { NeedsPerson: true } failing)
        {
            return new(id, Resolution.Failed, $"Not tried: {failing.Message}");
        }

        if (!_underWay.TryAdd(id, true))
        {
            return new(id, Resolution.Failed, "It is being resolved just now.");
        }

        try
        {
            return await ResolveAsync(ticket, html, user, actor);
        }
        finally
        {
            _underWay.TryRemove(id, out _);
        }
    }

    private async Task<ResolutionOutcome> ResolveAsync(OpenTicket ticket, string html, long user, string actor)
    {
        var (found, failure) = await freeScout.FindAsync(ticket.Id, CancellationToken.None, withThreads: true);
        if (failure is not null)
        {
            return Failed(ticket.Id, failure.Message);
        }

        if (found is not { IsOpen: true })
        {
            await RecordAsync(ticket, found, actor: null);
            return new(ticket.Id, Resolution.AlreadyClosed, found is null ? "FreeScout has it no more." : $"It was closed already{(found.ClosedByName is { } who ? $", by {who}" : "")}.");
        }

        // The note first, for the status alone closes it; one that an earlier try left is not written twice.
        if (!found.Bodies.Contains(html) && await freeScout.AddNoteAsync(ticket.Id, user, html, CancellationToken.None) is { } unwritten)
        {
            return Failed(ticket.Id, $"The note was not written, and the ticket stays open: {unwritten.Message}");
        }

        if (await freeScout.CloseAsync(ticket.Id, user, CancellationToken.None) is { } unclosed)
        {
            return Failed(ticket.Id, $"The note is written, but the ticket may still be open: {unclosed.Message}");
        }

        return await RecordAsync(ticket, found with { Status = "closed" }, actor)
            ? new(ticket.Id, Resolution.Resolved, "Resolved.")
            : new(ticket.Id, Resolution.Resolved, "Resolved, but the console's database can't be reached: the audit log does not tell of it.");
    }

    /// <param name="actor">Who resolved it here; null: it was closed elsewhere, which is nothing to audit.</param>
    /// <returns>False: the database is away.</returns>
    private async Task<bool> RecordAsync(OpenTicket ticket, Conversation? found, string? actor)
    {
        try
        {
            await using var db = await contexts.CreateDbContextAsync(CancellationToken.None);
            var now = clock.GetUtcNow();
            var resolvedBy = actor ?? found?.ClosedByName;
            await using var transaction = await db.BeginAsync(CancellationToken.None);
            // FreeScout's event of our own change may have been here first: we know better who did it.
            await db.Tickets.Where(row => row.ConversationId == ticket.Id && (row.State == TicketState.Open || (actor != null && row.State == TicketState.Closed)))
                .ExecuteUpdateAsync(set => set.SetProperty(row => row.State, TicketState.Closed).SetProperty(row => row.ClosedAt, now).SetProperty(row => row.ReopenedAt, (DateTimeOffset?)null).SetProperty(row => row.ResolvedBy, resolvedBy));
            await db.OpenConversations.Where(row => row.Id == ticket.Id).ExecuteDeleteAsync();
            if (actor is not null)
            {
                db.AuditLog.Add(new AuditEntry
                {
                    CreatedAt = now,
                    Action = AuditActions.TicketResolved,
                    Actor = actor,
                    Payload = JsonSerializer.Serialize(new
                    {
                        alert_key = ticket.Surface is { } surface ? AlertIdentity.KeyOf(AlertIdentity.OfSurface(surface)) : null,
                        surface = ticket.Surface,
                        conversation_id = ticket.Id,
                        ticket_number = ticket.Number,
                        url = ticket.Url,
                    }),
                });
                await db.SaveChangesAsync();
            }

            await transaction.CommitAsync();
            if (actor is not null)
            {
                Log.Resolved(logger, ticket.Id, ticket.Surface, actor);
            }

            return true;
        }
        catch (Exception exception) when (contexts.IsOutage(exception))
        {
            Log.NotRecorded(logger, ticket.Id, actor, exception.GetBaseException().Message);
            return false;
        }
    }

    private ResolutionOutcome Failed(long id, string message)
    {
        Log.Failed(logger, id, message);
        return new(id, Resolution.Failed, message);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "ticket_resolved conversation={Conversation} surface={Surface} by={Actor}")]
        public static partial void Resolved(ILogger logger, long conversation, string? surface, string actor);

        [LoggerMessage(LogLevel.Warning, "ticket resolving failed conversation={Conversation}: {Message}")]
        public static partial void Failed(ILogger logger, long conversation, string message);

        [LoggerMessage(LogLevel.Warning, "ticket resolving could not be audited conversation={Conversation} by={Actor}: {Problem}")]
        public static partial void NotRecorded(ILogger logger, long conversation, string? actor, string problem);
    }
}
