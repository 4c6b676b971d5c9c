using Microsoft.JSInterop;

namespace AutoTicket.Components;

/// <summary>Calls of the browser that may come when the operator has left the page.</summary>
internal static class BrowserCall
{
    /// <summary>Calls the browser, unless the page is gone or its script is of an earlier version.</summary>
    public static async Task TryAsync(Func<ValueTask> call)
    {
        try
        {
            await call();
        }
        catch (Exception exception) when (exception is JSException or JSDisconnectedException or OperationCanceledException)
        {
            // Nobody sees the page any more.
        }
    }
}
