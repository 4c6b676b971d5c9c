using System.Security.Claims;
using AutoTicket.Security;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using MudBlazor;

namespace AutoTicket.Components.Pages;

/// <summary>A page that shows what others change: news are gathered for a moment, so that a thousand readings are one repaint.</summary>
public abstract class LivePage : ComponentBase, IDisposable
{
    private readonly CancellationTokenSource _left = new();
    private int _pending;

    protected LivePage() => Left = _left.Token;

    /// <summary>How long news are gathered: well inside the 250 ms that a reading may take to every open page.</summary>
    protected virtual TimeSpan Gather => TimeSpan.FromMilliseconds(50);

    [Inject]
    protected TimeProvider Clock { get; set; } = default!;

    [CascadingParameter]
    private Task<AuthenticationState>? AuthenticationState { get; set; }

    /// <summary>Ends when the page is left, and may be asked for afterwards: what a click began goes on until then.</summary>
    protected CancellationToken Left { get; }

    [Inject]
    private CircuitAuthorization CircuitAuthorization { get; set; } = default!;

    [Inject]
    private ISnackbar Refusals { get; set; } = default!;

    [Inject]
    private IHostApplicationLifetime Console { get; set; } = default!;

    /// <summary>Nobody looks any more, or the console ends: then its services may be gone before an open page is.</summary>
    private bool IsOver => Left.IsCancellationRequested || Console.ApplicationStopping.IsCancellationRequested;

    /// <summary>The role of whoever looks.</summary>
    protected string? Role => Viewer is { } user ? Roles.Of(user) : null;

    /// <summary>What to show of controls; whether an action is allowed is asked when it is tried.</summary>
    protected bool Holds(string right) => Viewer is { } user && Rights.Allows(right, user);

    private ClaimsPrincipal? Viewer => AuthenticationState is { IsCompletedSuccessfully: true } state ? state.Result.User : null;

    /// <param name="right">One of <see cref="Rights"/>.</param>
    /// <param name="action">What is tried, for the audit log.</param>
    /// <returns>Who acts; null: they may not, or not any more, and were told.</returns>
    protected async Task<string?> AdmitAsync(string right, string action)
    {
        var actor = await CircuitAuthorization.AdmitAsync(right, action);
        if (actor is null)
        {
            Refusals.Add($"Nothing was done: it takes the role {Rights.HoldersOf(right)[0]}.", MudBlazor.Severity.Warning);
        }

        return actor;
    }

    /// <summary>Reads what the page shows.</summary>
    protected abstract Task ReadAsync();

    protected override Task OnInitializedAsync() => ReadAsync();

    /// <summary>Something changed: reads again and repaints, soon. May be called from any thread.</summary>
    protected void ReadSoon()
    {
        if (Interlocked.Exchange(ref _pending, 1) == 0)
        {
            _ = InvokeAsync(ReadAndRenderAsync);
        }
    }

    private async Task ReadAndRenderAsync()
    {
        await Task.Delay(Gather, Clock, Left)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        Interlocked.Exchange(ref _pending, 0);
        if (IsOver)
        {
            return;
        }

        try
        {
            await ReadAsync();
            if (!IsOver)
            {
                StateHasChanged();
            }
        }
#pragma warning disable CA1031 // nobody awaits this read: the page must not stay as it was without a word
        catch (Exception exception)
#pragma warning restore CA1031
        {
            if (!IsOver)
            {
                await DispatchExceptionAsync(exception);
            }
        }
    }

    protected virtual void Leave() { }

    public void Dispose()
    {
        _left.Cancel();
        Leave();
        _left.Dispose();
        GC.SuppressFinalize(this);
    }
}
