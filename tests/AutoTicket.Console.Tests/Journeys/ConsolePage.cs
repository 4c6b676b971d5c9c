using System.Text.RegularExpressions;
using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

/// <summary>A browser page of the console. Tests find pages by address, and elements by role and accessible name.</summary>
internal sealed class ConsolePage : IAsyncDisposable
{
    // A click does nothing before the circuit is live. A live circuit first sends the server's time to the console's script.
    private const string NoticeCircuit = """
        Object.defineProperty(window, "autoticket", { configurable: true, set(own) {
          const { setServerTime } = own;
          own.setServerTime = (time) => { document.documentElement.dataset.live = ""; setServerTime(time); };
          Object.defineProperty(window, "autoticket", { value: own });
        } });
        """;

    private readonly BrowserPage _browser;
    private readonly Uri _address;

    private ConsolePage(BrowserPage browser, Uri address) => (_browser, _address) = (browser, address);

    public IPage Page => _browser.Page;

    public IReadOnlyCollection<string> ConsoleErrors => _browser.ConsoleErrors;

    /// <inheritdoc cref="BrowserPage.AssertNoErrors"/>
    public void AssertNoErrors() => _browser.AssertNoErrors();

    public IReadOnlyCollection<string> RequestHosts => _browser.RequestHosts;

    public static Task<ConsolePage> OpenAsync(ConsoleHost console, string path, int width = 1280, int height = 800, string? zone = null) =>
        OpenAsync(console.Address, path, width, height, zone);

    public static async Task<ConsolePage> OpenAsync(Uri address, string path, int width = 1280, int height = 800, string? zone = null)
    {
        var page = await NewAsync(address, width, height, zone);
        await page.GoToAsync(path);
        return page;
    }

    /// <summary>Opens a page that redirects to the sign-in. It does not wait for a circuit, because the sign-in page has none.</summary>
    public static async Task<ConsolePage> OpenSignedOutAsync(Uri address, string path)
    {
        var page = await NewAsync(address, 1280, 800);
        await page.Page.GotoAsync(new Uri(address, path).AbsoluteUri);
        return page;
    }

    private static async Task<ConsolePage> NewAsync(Uri address, int width, int height, string? zone = null)
    {
        var browser = await Browser.NewPageAsync(
            new BrowserNewContextOptions
            {
                IgnoreHTTPSErrors = true,
                ViewportSize = new ViewportSize { Width = width, Height = height },
                TimezoneId = zone,
            }
        );
        await browser.Page.AddInitScriptAsync(NoticeCircuit);
        return new ConsolePage(browser, address);
    }

    /// <summary>Opens the path and waits until the page's circuit is live.</summary>
    public async Task GoToAsync(string path)
    {
        await Page.GotoAsync(new Uri(_address, path).AbsoluteUri);
        await IsLiveAsync();
    }

    public Task IsLiveAsync() => Assertions.Expect(Page.Locator("html[data-live]")).ToHaveCountAsync(1);

    /// <summary>Runs axe, once every animation that ends has ended: it must not measure colors in the middle of a fade.</summary>
    public async Task AssertAccessibleAsync(AxeRunOptions? options = null)
    {
        await Page.WaitForFunctionAsync(
            "() => document.getAnimations().every(animation => "
                + "animation.playState !== 'running' || animation.effect.getTiming().iterations === Infinity)"
        );
        Assert.Empty(
            (await Page.RunAxe(options)).Violations.Select(violation =>
                $"{violation.Id}: {string.Join(" | ", violation.Nodes.Select(node => node.Html))}"
            )
        );
    }

    /// <inheritdoc cref="BrowserPage.ScreenshotAsync"/>
    public Task ScreenshotAsync(string name) => _browser.ScreenshotAsync(name);

    public ILocator Heading => Page.GetByRole(AriaRole.Heading, new() { Level = 1 });

    public ILocator Tile(string surface) => Page.GetByRole(AriaRole.Article, new() { Name = surface, Exact = true });

    /// <param name="forecast">What the button's name says a click will do.</param>
    public ILocator Investigate(string surface, string forecast = "") =>
        Tile(surface).GetByRole(AriaRole.Button, new() { NameRegex = new Regex($"^Investigat(e|ing…) {Regex.Escape(forecast)}") });

    /// <summary>The message that tells the result of the last click.</summary>
    public ILocator Outcome(string surface) => Tile(surface).GetByRole(AriaRole.Status);

    public ILocator Button(string name) => Page.GetByRole(AriaRole.Button, new() { Name = name });

    public ILocator Link(string name) => Page.GetByRole(AriaRole.Link, new() { Name = name });

    public ILocator Text(string text) => Page.GetByText(text);

    public ValueTask DisposeAsync() => _browser.DisposeAsync();
}
