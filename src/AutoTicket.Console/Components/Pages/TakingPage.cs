using AutoTicket.Components.Tickets;
using AutoTicket.Mailbox;
using AutoTicket.Security;
using Microsoft.AspNetCore.Components;

namespace AutoTicket.Components.Pages;

/// <summary>Base of the pages on which an operator takes tickets.</summary>
public abstract class TakingPage : LivePage
{
    private readonly Dictionary<long, TakeState> _takes = [];

    [Inject]
    private TicketTaker Taker { get; set; } = default!;

    /// <returns>The user's last click on the ticket; null: the user can't take tickets. FreeScout's agent is found by the e-mail
    /// address.</returns>
    protected TakeState? TakeOf(long ticket) =>
        HasRight(Rights.Operate) && Email is not null ? _takes.GetValueOrDefault(ticket) ?? new TakeState(Email) : null;

    protected async Task TakeAsync(long ticket, TakeRequest request)
    {
        if (_takes.GetValueOrDefault(ticket) is { IsBusy: true })
        {
            return;
        }

        TakeOutcome? outcome = null;
        try
        {
            _takes[ticket] = new(Email, IsBusy: true);
            StateHasChanged();
            if (await AuthorizeAsync(Rights.Operate, $"take ticket of conversation {ticket}") is { } actor)
            {
                outcome = await Taker.TakeAsync(ticket, new(actor, Email), request);
            }
        }
        finally
        {
            _takes[ticket] = new(Email, Outcome: outcome);
        }

        await ReadAsync();
        StateHasChanged();
    }
}
