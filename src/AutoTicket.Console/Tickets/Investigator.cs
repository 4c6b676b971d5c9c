using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Microsoft.FeatureManagement;

namespace AutoTicket.Tickets;

/// <summary>How a click on Investigate ended. The API answers with these words.</summary>
public enum InvestigationDisposition
{
    Filed,
    AlreadyOpen,

    /// <summary>FreeScout or the console's database failed. Another click files no second ticket.</summary>
    Degraded,

    /// <summary>The surface is operational: there is nothing to investigate.</summary>
    SurfaceOperational,
    FlagOff,
    UnknownSurface,

    /// <summary>The console's database can't be reached. A ticket may have been posted; another click files no second one.</summary>
    Unavailable,
}

/// <summary>Outcome of a click on Investigate, with a sentence for the operator.</summary>
public sealed record Investigation(InvestigationDisposition Disposition, TicketLink? Ticket, string Message);

/// <summary>Handles an operator's click on Investigate: checks flag and surface, files the ticket and records the decision.</summary>
internal sealed partial class Investigator(
    StatusBoard board,
    IFeatureManager flags,
    FlagWatch flagWatch,
    TicketingService ticketing,
    DecisionLog decisions,
    EffectsUnderWay effects,
    IDbContextFactory<AutoTicketDbContext> contexts,
    ConsoleAddress address,
    IOptions<TicketingOptions> options,
    TimeProvider clock,
    ILogger<Investigator> logger
)
{
    private static readonly TimeSpan DatabaseTimeout = TimeSpan.FromSeconds(1.5);

    private TimeSpan AnswerTimeout => options.Value.ClickBudget + DatabaseTimeout;

    /// <summary>Files a ticket for the surface, or finds the one that is open. A click that has begun is finished and recorded, even if its
    /// page is gone and the console ends.</summary>
    /// <param name="actor">Who clicked.</param>
    public Task<Investigation> InvestigateAsync(string surfaceKey, string actor) => effects.Track(RunAsync(surfaceKey, actor));

    private async Task<Investigation> RunAsync(string surfaceKey, string actor)
    {
        if (board.Find(surfaceKey) is not { } surface)
        {
            return new(InvestigationDisposition.UnknownSurface, null, "There is no surface with this key.");
        }

        // Read before the flag. In the other order, a load between the two reads would report an unknown flag as switched off.
        var isKnown = flagWatch.IsKnown(FlagNames.InvestigateFromStatus);
        if (!await flags.IsEnabledAsync(FlagNames.InvestigateFromStatus))
        {
            if (!isKnown)
            {
                return new(
                    InvestigationDisposition.Unavailable,
                    null,
                    "The console could not read its flags from the database yet, so nothing was filed. Try again in a moment."
                );
            }

            await RecordDecisionAsync(surfaceKey, actor, DecisionWord.FlagOff, null, null);
            return new(InvestigationDisposition.FlagOff, null, $"{FlagNames.InvestigateFromStatus} is off.");
        }

        if (surface.Observed == SurfaceStatus.Operational)
        {
            return new(
                InvestigationDisposition.SurfaceOperational,
                null,
                $"{surface.Surface.Name} is operational: there is nothing to investigate."
            );
        }

        var started = clock.GetTimestamp();
        var draft = Draft(surface, actor);
        var outcome = await WithTimeoutAsync(effects.Track(FileAsync(draft)));
        Log.Investigated(logger, surfaceKey, Words.Of(outcome.Disposition), outcome.Ticket?.Id);
        if (outcome.Disposition != TicketDisposition.Unavailable)
        {
            // Recording shares the filing's timeout, so a hung database does not delay the answer.
            var recording = effects.Track(RecordOutcomeAsync(draft, outcome));
            var left = AnswerTimeout - clock.GetElapsedTime(started);
            await Task.WhenAny(recording, Task.Delay(left > TimeSpan.Zero ? left : TimeSpan.Zero, clock));
        }

        return new(
            outcome.Disposition switch
            {
                TicketDisposition.Filed => InvestigationDisposition.Filed,
                TicketDisposition.AlreadyOpen => InvestigationDisposition.AlreadyOpen,
                TicketDisposition.Degraded => InvestigationDisposition.Degraded,
                _ => InvestigationDisposition.Unavailable,
            },
            outcome.Ticket,
            outcome.Message
        );
    }

    /// <summary>Links the open incident. A surface may be stale or unknown, so that there is none.</summary>
    private async Task<TicketOutcome> FileAsync(TicketDraft draft)
    {
        var incident = await contexts.OrNullAsync(
            db =>
                db.Alerts.AsNoTracking()
                    .WhereFiring()
                    .Where(alert => alert.AlertId == draft.DedupKey)
                    .FirstOrDefaultAsync(CancellationToken.None),
            CancellationToken.None
        );
        return await ticketing.FileAsync(
            incident is null
                ? draft
                : draft with
                {
                    Links = [(TicketDraft.IncidentLabel, address.Url + incident.IncidentKey.Path), .. draft.Links],
                }
        );
    }

    private async Task RecordOutcomeAsync(TicketDraft draft, TicketOutcome outcome)
    {
        await RecordDecisionAsync(draft.SurfaceKey!, draft.FiledBy, outcome.Decision, outcome.Message, outcome.Ticket);
        if (outcome is { Disposition: TicketDisposition.AlreadyOpen, Ticket: { } ticket })
        {
            await RecordReuseAuditAsync(draft, ticket);
        }
    }

    /// <summary>Records the decision about this click, with its ticket if there is one.</summary>
    private Task RecordDecisionAsync(string surfaceKey, string actor, DecisionWord word, string? detail, TicketLink? ticket)
    {
        var now = clock.GetUtcNow();
        return decisions.RecordAsync(
            [
                new Decision
                {
                    AlertId = AlertIdentity.OfSurface(surfaceKey),
                    Path = DecisionSources.Click,
                    Word = word,
                    Detail = detail,
                    Actor = actor,
                    FirstAt = now,
                    LastAt = now,
                    TicketNumber = ticket?.Number,
                    TicketUrl = ticket?.Url,
                },
            ],
            CancellationToken.None
        );
    }

    /// <summary>Stops waiting for the filing after <see cref="AnswerTimeout"/>, because the database may hang. The filing finishes in the
    /// background.</summary>
    private async Task<TicketOutcome> WithTimeoutAsync(Task<TicketOutcome> filing)
    {
        try
        {
            return await filing.WaitAsync(AnswerTimeout, clock);
        }
        catch (TimeoutException)
        {
            return new(
                TicketDisposition.Degraded,
                null,
                "The console's database is slow; the filing continues. Click again in a moment to see the ticket. "
                    + "A second click files no second ticket.",
                DecisionWord.DatabaseDegraded
            );
        }
    }

    private TicketDraft Draft(SurfaceSnapshot snapshot, string actor)
    {
        var surface = snapshot.Surface;
        var title = SurfaceAlerts.TitleOf(snapshot);
        var since = snapshot.Since is { } at ? $" since {UtcTime.Stamp(at)}" : "";
        return new TicketDraft(
            AlertIdentity.OfSurface(surface.Key),
            surface.Key,
            surface.Severity,
            TicketTags.Status,
            AuditActions.InvestigateFiled,
            actor,
            $"[{surface.Severity}] {title}",
            [("Severity", surface.Severity.ToString()), .. TicketDraft.FactsOf(snapshot), ("Investigated by", actor)]
        )
        {
            FirstLine = $"{title}{since}{(snapshot.Cause is { } cause ? $": {cause}" : "")}",
            Links = [("Surface in AutoTicket Console", $"{address.Url}/console/status/{surface.Key}")],
        };
    }

    private async Task RecordReuseAuditAsync(TicketDraft draft, TicketLink ticket)
    {
        try
        {
            await using var db = await contexts.CreateDbContextAsync();
            db.AuditLog.Add(
                new AuditEntry
                {
                    CreatedAt = clock.GetUtcNow(),
                    Action = AuditActions.InvestigateReused,
                    Actor = draft.FiledBy,
                    Payload = JsonSerializer.Serialize(
                        new
                        {
                            alert_key = draft.AlertKey,
                            surface = draft.SurfaceKey,
                            conversation_id = ticket.Id,
                            ticket_number = ticket.Number,
                            url = ticket.Url,
                        }
                    ),
                }
            );
            await db.SaveChangesAsync();
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            // The operator has the ticket: a missing audit entry must not fail the click.
            Log.NotRecorded(logger, draft.SurfaceKey!, exception.GetBaseException().Message);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "investigate surface={Surface} disposition={Disposition} conversation={Conversation}")]
        public static partial void Investigated(ILogger logger, string surface, string disposition, long? conversation);

        [LoggerMessage(LogLevel.Warning, "investigate surface={Surface} could not be audited: {Problem}")]
        public static partial void NotRecorded(ILogger logger, string surface, string problem);
    }
}
