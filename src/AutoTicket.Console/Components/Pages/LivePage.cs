using System.Security.Claims;
using AutoTicket.Security;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using MudBlazor;

namespace AutoTicket.Components.Pages;

/// <summary>A page that re-renders on changes made elsewhere. Changes are batched, so that 1,000 readings cause one render.</summary>
public abstract class LivePage : ComponentBase, IDisposable
{
    /// <summary>The shortest time between two renders, so that a storm of changes does not render all the time.</summary>
    private static readonly TimeSpan Spacing = TimeSpan.FromMilliseconds(50);

    private readonly CancellationTokenSource _closed = new();
    private int _pending;
    private Task _read = Task.CompletedTask;
    private TaskCompletionSource _hurry = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long? _readAt;

    protected LivePage() => PageClosed = _closed.Token;

    /// <summary>How long changes are collected before a render, unless one is urgent.</summary>
    protected virtual TimeSpan UpdateDelay => Spacing;

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

    /// <summary>Whether the last read found anything new: otherwise nothing is rendered.</summary>
    protected virtual bool HasNews => true;

    protected override Task OnInitializedAsync() => _read = ReadAsync();

    /// <summary>Reads and renders again after <see cref="UpdateDelay"/>. May be called from any thread.</summary>
    protected void ReadSoon()
    {
        if (Interlocked.Exchange(ref _pending, 1) == 0)
        {
            _ = InvokeAsync(ReadAndRenderAsync);
        }
    }

    /// <summary>As <see cref="ReadSoon"/>, but at once: for a change that somebody waits for. May be called from any thread.</summary>
    protected void ReadNow()
    {
        // In this order, so that the read goes on in the thread pool. Otherwise the thread that announces the change reads page after page.
        ReadSoon();
        Volatile.Read(ref _hurry).TrySetResult();
    }

    private async Task ReadAndRenderAsync()
    {
        if (!_hurry.Task.IsCompleted)
        {
            await Task.WhenAny(DelayAsync(UpdateDelay), _hurry.Task);
        }

        if (_hurry.Task.IsCompleted && _readAt is { } readAt && Spacing - Clock.GetElapsedTime(readAt) is { Ticks: > 0 } rest)
        {
            await DelayAsync(rest);
        }

        // One read at a time: while the database is slow, they would otherwise pile up and take all its connections.
        await _read.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        // Before the read, which then shows whatever was urgent until here.
        Volatile.Write(ref _hurry, new(TaskCreationOptions.RunContinuationsAsynchronously));
        Interlocked.Exchange(ref _pending, 0);
        _readAt = Clock.GetTimestamp();
        if (IsClosed)
        {
            return;
        }

        try
        {
            await (_read = ReadAsync());
            if (!IsClosed && HasNews)
            {
                StateHasChanged();
            }
        }
        catch (ObjectDisposedException gone) when (gone.ObjectName == nameof(IServiceProvider))
        {
            // Blazor disposes no page of a circuit that was abandoned while it started. Without this it would read until the console ends.
            Dispose();
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

    private async Task DelayAsync(TimeSpan delay) =>
        await Task.Delay(delay, Clock, PageClosed)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);

    /// <summary>Removes event handlers and timers; called once when the page is closed.</summary>
    protected virtual void Unsubscribe() { }

    public void Dispose()
    {
        if (PageClosed.IsCancellationRequested)
        {
            return;
        }

        _closed.Cancel();
        Unsubscribe();
        _closed.Dispose();
        GC.SuppressFinalize(this);
    }
}
