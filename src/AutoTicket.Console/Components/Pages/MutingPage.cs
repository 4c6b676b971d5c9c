using AutoTicket.Components.Alerts;
using AutoTicket.Components.Maintenance;
using AutoTicket.Maintenance;
using AutoTicket.Security;
using Microsoft.AspNetCore.Components;

namespace AutoTicket.Components.Pages;

/// <summary>Base of the pages on which alerts are snoozed and surfaces put into maintenance.</summary>
public abstract class MutingPage : TakingPage
{
    private SnoozeActions? _snoozes;

    [Inject]
    private Snoozer Snoozer { get; set; } = default!;

    [Inject]
    private protected MaintenancePlanner Planner { get; set; } = default!;

    /// <summary>Null: the user may not snooze alerts.</summary>
    protected SnoozeActions? Snoozes =>
        HasRight(Rights.Operate)
            ? _snoozes ??= new(
                (key, request) =>
                    ChangeMuteAsync($"snooze {key}", actor => Snoozer.SnoozeAsync(key, request.Snooze, actor, CancellationToken.None)),
                key => ChangeMuteAsync($"end the snooze of {key}", actor => Snoozer.EndAsync(key, actor, CancellationToken.None))
            )
            : null;

    /// <summary>Starts or plans maintenance of a surface; null: the user may not. Returns why nothing was changed; null when it
    /// was.</summary>
    protected Func<string, MuteRequest, Task<string?>>? OnMute => HasRight(Rights.Operate) ? MuteAsync : null;

    /// <summary>Ends maintenance of a surface. Returns as <see cref="OnMute"/>.</summary>
    protected Task<string?> EndMuteAsync(string key) =>
        ChangeMuteAsync($"end maintenance of {key}", actor => Planner.EndAsync(key, actor, CancellationToken.None));

    protected async Task<string?> ChangeMuteAsync(string action, Func<string, Task<MuteOutcome>> change)
    {
        if (await AuthorizeAsync(Rights.Operate, action) is not { } actor)
        {
            return Denied(Rights.Operate);
        }

        var outcome = await change(actor);
        if (outcome.Result != MuteResult.Done)
        {
            return outcome.Message;
        }

        Snackbar.Add(outcome.Message, MudBlazor.Severity.Success);
        await ReadAsync();
        StateHasChanged();
        return null;
    }

    private Task<string?> MuteAsync(string key, MuteRequest request) =>
        ChangeMuteAsync(
            $"set maintenance of {key}",
            async actor => (await Planner.AddAsync(key, request.Maintenance, actor, CancellationToken.None)).Outcome
        );
}
