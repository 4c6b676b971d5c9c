using System.Collections.Concurrent;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Mailbox;

/// <summary>Outcome of taking a ticket.</summary>
public enum TakeResult
{
    Taken,

    /// <summary>The user has it already: the console did nothing.</summary>
    AlreadyYours,

    /// <summary>Another agent has it. The user must confirm to take it over.</summary>
    HeldByAnother,

    /// <summary>It is closed, gone, or no ticket that the console shows: the console did nothing.</summary>
    NotOpen,

    /// <summary>FreeScout has no agent for the user.</summary>
    NoAgent,

    /// <summary>FreeScout or the database failed; nobody else has it, as far as is known.</summary>
    Failed,
}

/// <summary>A signed-in user who takes a ticket.</summary>
/// <param name="Actor">The user in the audit log.</param>
/// <param name="Email">The user's e-mail address, by which FreeScout's agent is found; null: the sign-in has none.</param>
public sealed record TicketTakerUser(string Actor, string? Email);

/// <param name="From">The agent from whom the user takes the ticket over; null: only if nobody has it.</param>
public sealed record TakeRequest(long? From = null);

/// <param name="Message">One sentence for the operator.</param>
/// <param name="Assignee">Who has the ticket now; null when nobody has, or it is not known.</param>
public sealed record TakeOutcome(TakeResult Result, string Message, TicketAssignee? Assignee = null);

/// <summary>Assigns tickets in FreeScout to the operator who takes them. FreeScout decides who has a ticket: it is asked before and after.
/// FreeScout assigns without a condition, so one process at a time does this for a ticket. Nothing is repeated blindly.</summary>
internal sealed partial class TicketTaker(
    FreeScoutClient freeScout,
    FreeScoutHealth health,
    OpenTickets open,
    MailboxWatch mailbox,
    ResolutionLog closings,
    EffectsUnderWay effects,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<FreeScoutOptions> options,
    TimeProvider clock,
    ILogger<TicketTaker> logger
)
{
    private const int MostAgents = 200;
    private const string Lease = "ticket_taking:";
    private const string Unaudited = "Not taken: the console's database can't be reached, so it could not be audited. Try again.";
    private static readonly TimeSpan LongestShowing = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AgentLifetime = TimeSpan.FromMinutes(5);

    /// <summary>Longer than all calls of one taking: three reads of up to three tries each, and the assignment.</summary>
    private TimeSpan LongestTaking => (10 * options.Value.CallTimeout) + (6 * options.Value.RetryDelay) + TimeSpan.FromSeconds(20);

    private readonly ConcurrentDictionary<string, (Agent Agent, long At)> _agents = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Takes the ticket, even after the caller has disconnected.</summary>
    public Task<TakeOutcome> TakeAsync(long id, TicketTakerUser user, TakeRequest request) =>
        effects.Track(TryTakeAsync(id, user, request));

    private async Task<TakeOutcome> TryTakeAsync(long id, TicketTakerUser user, TakeRequest request)
    {
        if (open.Current.Tickets.FirstOrDefault(ticket => ticket.Id == id) is not { } ticket)
        {
            return new(TakeResult.NotOpen, "It is not among the open tickets.");
        }

        if (user.Email is not { } email)
        {
            return new(
                TakeResult.NoAgent,
                "Your sign-in has no e-mail address, so the console does not know which FreeScout agent you are. "
                    + "Sign in at a provider that sends the claim “email”."
            );
        }

        if (health.Failure is { NeedsPerson: true } failing)
        {
            return Failed(id, $"Not tried: {failing.Message}");
        }

        if (effects.IsEnding)
        {
            return Failed(id, "Not tried: the console is stopping. Try again in a moment.");
        }

        var (agent, failure) = await FindAgentAsync(email);
        if (failure is not null)
        {
            return Failed(id, $"Not taken: {failure.Message}");
        }

        return agent is null
            ? new(
                TakeResult.NoAgent,
                $"FreeScout has no agent with your e-mail address {email}. Add it to your profile in FreeScout, "
                    + "or sign in with the address that FreeScout has."
            )
            : await AssignAloneAsync(ticket, agent, user.Actor, request.From);
    }

    private async Task<TakeOutcome> AssignAloneAsync(OpenTicket ticket, Agent agent, string actor, long? from)
    {
        var owner = $"{Guid.NewGuid():N}";
        try
        {
            if (!await TakeLeaseAsync(ticket.Id, owner))
            {
                return Failed(ticket.Id, "Somebody is taking it right now. Look again in a moment.");
            }
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            Log.NotRecorded(logger, ticket.Id, actor, exception.GetBaseException().Message);
            return Failed(ticket.Id, Unaudited);
        }

        try
        {
            return await AssignAsync(ticket, agent, actor, from);
        }
        finally
        {
            await ReturnLeaseAsync(owner);
        }
    }

    /// <returns>False: another request, in any process, is taking the ticket.</returns>
    private async Task<bool> TakeLeaseAsync(long id, string owner)
    {
        await using var db = await contexts.CreateDbContextAsync(CancellationToken.None);
        var now = clock.GetUtcNow();
        return await db.ExecuteAsync(
                $"""
                INSERT INTO leases (name, owner, until, fence) VALUES ({Lease + id}, {owner}, {now + LongestTaking}, 1)
                ON CONFLICT (name) DO UPDATE SET until = excluded.until, owner = excluded.owner WHERE leases.until <= {now}
                """,
                CancellationToken.None
            ) == 1;
    }

    /// <summary>Deletes the lease, and those that processes left behind when they were killed.</summary>
    private async Task ReturnLeaseAsync(string owner)
    {
        try
        {
            await using var db = await contexts.CreateDbContextAsync(CancellationToken.None);
            await db.ExecuteAsync(
                $"DELETE FROM leases WHERE name LIKE {Lease + "%"} AND (owner = {owner} OR until <= {clock.GetUtcNow()})",
                CancellationToken.None
            );
        }
        // It runs out by itself.
        catch (Exception exception) when (Outages.IsOutage(exception)) { }
    }

    private async Task<TakeOutcome> AssignAsync(OpenTicket ticket, Agent agent, string actor, long? from)
    {
        var (found, failure) = await freeScout.FindAsync(ticket.Id, CancellationToken.None);
        if (failure is not null)
        {
            return Failed(ticket.Id, $"Not taken: {failure.Message}");
        }

        if (found is not { IsOpen: true })
        {
            await closings.ClosedElsewhereAsync(ticket, found?.ClosedByName);
            open.Wake();
            return new(
                TakeResult.NotOpen,
                found is null
                    ? "FreeScout no longer has it."
                    : $"It was closed already{(found.ClosedByName is { } who ? $", by {who}" : "")}."
            );
        }

        var holder = found.AssignedTo;
        if (holder?.Id == agent.Id)
        {
            await ShowAsync(ticket.Id);
            return new(TakeResult.AlreadyYours, "You have it already.", Of(holder));
        }

        if (holder is not null && holder.Id != from)
        {
            await ShowAsync(ticket.Id);
            return new(TakeResult.HeldByAnother, $"{holder.Name} has it.", Of(holder));
        }

        // Written before FreeScout is changed, so that no assignment by the console is without an entry.
        if (!await AuditAsync(AuditActions.TicketTaking, ticket, actor, holder, agent))
        {
            return Failed(ticket.Id, Unaudited);
        }

        var unassigned = await freeScout.AssignAsync(ticket.Id, agent.Id, CancellationToken.None);
        if (unassigned is { MayHaveCreated: false })
        {
            return Failed(ticket.Id, $"Not taken, as far as is known: {unassigned.Message}");
        }

        // If the answer was lost, FreeScout may have assigned it. Another process or an agent may have assigned it at the same moment.
        var after = (await freeScout.FindAsync(ticket.Id, CancellationToken.None)).Value;
        if (after?.AssignedTo?.Id != agent.Id && (unassigned is not null || after is not null))
        {
            if (after?.AssignedTo is { } other && (unassigned is null || other.Id != holder?.Id))
            {
                await ShowAsync(ticket.Id);
                return new(TakeResult.HeldByAnother, $"{other.Name} took it at the same moment.", Of(other));
            }

            return Failed(ticket.Id, $"Not taken, as far as is known: {unassigned?.Message ?? "FreeScout shows no assignee."}");
        }

        await AuditAsync(AuditActions.TicketTaken, ticket, actor, holder, agent);
        Log.Taken(logger, ticket.Id, holder?.Name, agent.Name, actor);
        await ShowAsync(ticket.Id);
        return new(TakeResult.Taken, holder is null ? "You have it now." : $"You have it now; {holder.Name} had it.", Of(agent));
    }

    /// <summary>Reads the ticket into the copy, which every process shows, and shows it here at once. If that fails, or has to wait for a
    /// long sync, the ticket is read later.</summary>
    private async Task ShowAsync(long id)
    {
        using var patience = new CancellationTokenSource(LongestShowing, clock);
        if (!await mailbox.LookAtAsync(id, patience.Token))
        {
            mailbox.Hint(id);
        }

        open.Wake();
    }

    /// <returns>Neither value nor failure: there is no such agent.</returns>
    private async Task<FreeScoutAnswer<Agent?>> FindAgentAsync(string email)
    {
        if (_agents.TryGetValue(email, out var known) && clock.GetElapsedTime(known.At) < AgentLifetime)
        {
            return known.Agent;
        }

        var answer = await freeScout.FindAgentAsync(email, CancellationToken.None);
        if (answer.Value is { } agent)
        {
            if (_agents.Count >= MostAgents)
            {
                _agents.Clear();
            }

            _agents[email] = (agent, clock.GetTimestamp());
        }

        return answer;
    }

    /// <returns>False when the database can't be reached.</returns>
    private async Task<bool> AuditAsync(string action, OpenTicket ticket, string actor, Agent? from, Agent to)
    {
        try
        {
            await using var db = await contexts.CreateDbContextAsync(CancellationToken.None);
            db.AuditLog.Add(
                new AuditEntry
                {
                    CreatedAt = clock.GetUtcNow(),
                    Action = action,
                    Actor = actor,
                    Payload = JsonSerializer.Serialize(
                        new
                        {
                            alert_key = ticket.AlertId is { } alert ? AlertIdentity.KeyOf(alert) : null,
                            surface = ticket.Surface,
                            conversation_id = ticket.Id,
                            ticket_number = ticket.Number,
                            url = ticket.Url,
                            from = from?.Name,
                            to = to.Name,
                        }
                    ),
                }
            );
            await db.SaveChangesAsync(CancellationToken.None);
            return true;
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            Log.NotRecorded(logger, ticket.Id, actor, exception.GetBaseException().Message);
            return false;
        }
    }

    private TakeOutcome Failed(long id, string message)
    {
        Log.Failed(logger, id, message);
        return new(TakeResult.Failed, message);
    }

    private static TicketAssignee Of(Agent agent) => new(agent.Id, agent.Name, agent.Email);

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "ticket_taken conversation={Conversation} from={From} to={To} by={Actor}")]
        public static partial void Taken(ILogger logger, long conversation, string? from, string to, string actor);

        [LoggerMessage(LogLevel.Warning, "ticket taking failed conversation={Conversation}: {Message}")]
        public static partial void Failed(ILogger logger, long conversation, string message);

        [LoggerMessage(LogLevel.Warning, "ticket taking could not be recorded conversation={Conversation} by={Actor}: {Problem}")]
        public static partial void NotRecorded(ILogger logger, long conversation, string actor, string problem);
    }
}
