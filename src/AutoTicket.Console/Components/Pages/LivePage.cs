using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;

namespace AutoTicket.Components.Pages;

/// <summary>A page that shows what others change: news are gathered for a moment, so that a thousand readings are one repaint.</summary>
public abstract class LivePage : ComponentBase, IDisposable
{
    private readonly CancellationTokenSource _left = new();
    private int _pending;

    /// <summary>How long news are gathered: well inside the 250 ms that a reading may take to every open page.</summary>
    protected virtual TimeSpan Gather => TimeSpan.FromMilliseconds(50);

    [Inject]
    protected TimeProvider Clock { get; set; } = default!;

    [CascadingParameter]
    private Task<AuthenticationState>? AuthenticationState { get; set; }

    /// <summary>Ends when the page is left.</summary>
    protected CancellationToken Left => _left.Token;

    /// <summary>Who is looking, for the audit log.</summary>
    protected async Task<string> ActorAsync() => AuthenticationState is { } state && (await state).User.Identity?.Name is { } name ? name : "operator";

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
        await Task.Delay(Gather, Clock, _left.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        Interlocked.Exchange(ref _pending, 0);
        if (!_left.IsCancellationRequested)
        {
            await ReadAsync();
            StateHasChanged();
        }
    }

    protected virtual void Leave()
    {
    }

    public void Dispose()
    {
        _left.Cancel();
        Leave();
        _left.Dispose();
        GC.SuppressFinalize(this);
    }
}
