using System.Collections.Immutable;
using AutoTicket.Components.Tickets;
using AutoTicket.Incidents;
using AutoTicket.Mailbox;
using AutoTicket.Security;
using Microsoft.AspNetCore.Components;

namespace AutoTicket.Components.Pages;

/// <summary>Base of the page on which an operator resolves tickets. An attempt goes on after its page is closed.</summary>
public abstract class ResolvingPage : TakingPage
{
    // Not disposed: it has no timer, and an attempt outlives the page.
    private CancellationTokenSource _stop = new();

    [Inject]
    private TicketResolver Resolver { get; set; } = default!;

    [Inject]
    private IncidentQueries Incidents { get; set; } = default!;

    [Inject]
    private TicketActivityReader Activity { get; set; } = default!;

    [Inject]
    private ConsoleAddress Address { get; set; } = default!;

    /// <summary>The last attempt to resolve tickets.</summary>
    protected ResolveRun Run { get; private set; } = ResolveRun.None;

    /// <summary>Why tickets can't be resolved here; null if they can.</summary>
    protected string? ResolvingNotSetUp => HasRight(Rights.Operate) ? Resolver.NotSetUp : "";

    /// <summary>Reads what the attempt changed.</summary>
    protected abstract Task ResolvedAsync();

    protected async Task ResolveAsync(ResolveRequest request)
    {
        if (Run.IsRunning)
        {
            return;
        }

        // Before the first await, so that a double click starts one attempt.
        var before = Run;
        Run = ResolveRun.Of(request);
        _stop = new CancellationTokenSource();
        StateHasChanged();
        try
        {
            if (await AuthorizeAsync(Rights.Operate, $"resolve {request.Ids.Count} tickets") is not { } actor)
            {
                Run = before;
                return;
            }

            var outcomes = await Resolver.ResolveAsync(
                request,
                actor,
                outcome => _ = InvokeAsync(() => Count(outcome)),
                onlyRecovered: true,
                _stop.Token
            );
            Run = Run with { Outcomes = outcomes.ToImmutableDictionary(outcome => outcome.Id) };
        }
        finally
        {
            Run = Run with { IsRunning = false };
        }

        await ResolvedAsync();
    }

    protected void StopResolving()
    {
        Run = Run with { IsStopped = true };
        _stop.Cancel();
    }

    protected async Task<string?> SummarizeAsync(RecoveredTicket one) =>
        await Incidents.OfTicketAsync(one.Ticket, CancellationToken.None) is { } rows
            ? IncidentNote.Of(Incident.Of(rows, await Activity.ReadAsync(rows.Conversations)), Address.Url)
            : null;

    private void Count(ResolutionOutcome outcome)
    {
        if (Run.IsRunning)
        {
            Run = Run with { Outcomes = Run.Outcomes.SetItem(outcome.Id, outcome) };
            StateHasChanged();
        }
    }
}
