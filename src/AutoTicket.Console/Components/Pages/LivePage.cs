using System.Security.Claims;
using AutoTicket.Security;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using MudBlazor;

namespace AutoTicket.Components.Pages;

/// <summary>A page that re-renders on changes made elsewhere. Changes are batched, so that 1,000 readings cause one render.</summary>
public abstract class LivePage : ComponentBase, IDisposable
{
    private readonly CancellationTokenSource _closed = new();
    private int _pending;

    protected LivePage() => PageClosed = _closed.Token;

    /// <summary>How long changes are collected before a render. A reading must reach every open page within 250 ms.</summary>
    protected virtual TimeSpan UpdateDelay => TimeSpan.FromMilliseconds(50);

    [Inject]
    protected TimeProvider Clock { get; set; } = default!;

    [CascadingParameter]
    private Task<AuthenticationState>? AuthenticationState { get; set; }

    /// <summary>Canceled when the page is closed; stays usable afterwards, for work that a click started.</summary>
    protected CancellationToken PageClosed { get; }

    [Inject]
    private CircuitAuthorization CircuitAuthorization { get; set; } = default!;

    [Inject]
    protected ISnackbar Snackbar { get; set; } = default!;

    [Inject]
    private IHostApplicationLifetime Lifetime { get; set; } = default!;

    /// <summary>The page is closed or the console is stopping, when its services may already be disposed.</summary>
    private bool IsClosed => PageClosed.IsCancellationRequested || Lifetime.ApplicationStopping.IsCancellationRequested;

    /// <summary>The user's role.</summary>
    protected string? Role => Viewer is { } user ? Roles.Of(user) : null;

    /// <summary>The user's e-mail address; null: the sign-in has none.</summary>
    protected string? Email => Viewer is { } user ? Schemes.EmailOf(user) : null;

    /// <summary>Decides which controls are shown; actions are authorized again by <see cref="AuthorizeAsync"/>.</summary>
    protected bool HasRight(string right) => Viewer is { } user && Rights.Allows(right, user);

    private ClaimsPrincipal? Viewer => AuthenticationState is { IsCompletedSuccessfully: true } state ? state.Result.User : null;

    /// <summary>Authorizes an action and records a denial in the audit log.</summary>
    /// <param name="right">One of <see cref="Rights"/>.</param>
    /// <param name="action">The action, for the audit log.</param>
    /// <returns>The actor; null if the action was denied, which the page then shows.</returns>
    protected async Task<string?> AuthorizeAsync(string right, string action)
    {
        var actor = await CircuitAuthorization.AdmitAsync(right, action);
        if (actor is null)
        {
            Snackbar.Add(Denied(right), MudBlazor.Severity.Warning);
        }

        return actor;
    }

    protected static string Denied(string right) => $"Not allowed: needs the {Rights.HoldersOf(right)[0]} role.";

    /// <summary>Reads the data that the page shows.</summary>
    protected abstract Task ReadAsync();

    protected override Task OnInitializedAsync() => ReadAsync();

    /// <summary>Reads and renders again after <see cref="UpdateDelay"/>. May be called from any thread.</summary>
    protected void ReadSoon()
    {
        if (Interlocked.Exchange(ref _pending, 1) == 0)
        {
            _ = InvokeAsync(ReadAndRenderAsync);
        }
    }

    private async Task ReadAndRenderAsync()
    {
        await Task.Delay(UpdateDelay, Clock, PageClosed)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        Interlocked.Exchange(ref _pending, 0);
        if (IsClosed)
        {
            return;
        }

        try
        {
            await ReadAsync();
            if (!IsClosed)
            {
                StateHasChanged();
            }
        }
#pragma warning disable CA1031 // nobody awaits this read, so the error boundary must show its failure
        catch (Exception exception)
#pragma warning restore CA1031
        {
            if (!IsClosed)
            {
                await DispatchExceptionAsync(exception);
            }
        }
    }

    /// <summary>Removes event handlers and timers; called once when the page is closed.</summary>
    protected virtual void Unsubscribe() { }

    public void Dispose()
    {
        _closed.Cancel();
        Unsubscribe();
        _closed.Dispose();
        GC.SuppressFinalize(this);
    }
}
