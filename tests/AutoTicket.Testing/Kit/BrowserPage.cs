using System.Collections.Concurrent;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Kit;

/// <summary>A page in its own browser context; records the hosts it requested and the errors it reported.</summary>
public sealed class BrowserPage : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _hosts = new();
    private readonly ConcurrentQueue<string> _errors = new();

    private BrowserPage(IPage page) => Page = page;

    public IPage Page { get; }

    /// <summary>Every host (with port) that the page sent a request to, WebSockets included. data: and blob: URLs have no host.</summary>
    public IReadOnlyCollection<string> RequestHosts => [.. _hosts.Where(host => host.Length > 0).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>Errors on the browser's console (failed loads included) and uncaught exceptions.</summary>
    public IReadOnlyCollection<string> ConsoleErrors => [.. _errors];

    /// <summary>Fails with the full text of each error. Assert.Empty would cut it off before the URL that failed.</summary>
    public void AssertNoErrors() => Assert.True(_errors.IsEmpty, string.Join(Environment.NewLine, _errors));

    internal static async Task<BrowserPage> OpenAsync(IBrowserContext context)
    {
        var page = new BrowserPage(await context.NewPageAsync());
        page.Record(context);
        return page;
    }

    /// <summary>Saves a screenshot of the whole page to /tmp/autoticket-screenshots, if SCREENSHOTS is set.</summary>
    public async Task ScreenshotAsync(string name)
    {
        if (Environment.GetEnvironmentVariable("SCREENSHOTS") is { Length: > 0 })
        {
            await Page.ScreenshotAsync(new PageScreenshotOptions { Path = $"/tmp/autoticket-screenshots/{name}.png", FullPage = true });
        }
    }

    public async ValueTask DisposeAsync() => await Page.Context.CloseAsync();

    private void Record(IBrowserContext context)
    {
        context.Request += (_, request) => _hosts.Enqueue(new Uri(request.Url).Authority);
        context.Console += (_, message) =>
        {
            // On a busy machine the server can be silent for longer than the page's timeout. Other tests cover what the page does then.
            if (message.Type == "error" && !message.Text.Contains("Server timeout elapsed", StringComparison.Ordinal))
            {
                _errors.Enqueue($"{message.Text} ({message.Location})");
            }
        };
        context.WebError += (_, failure) => _errors.Enqueue(failure.Error);
        Page.WebSocket += (_, socket) => _hosts.Enqueue(new Uri(socket.Url).Authority);
    }
}
