using Microsoft.Playwright;

namespace AutoTicket.Tests.Kit;

/// <summary>The Chromium that all tests of a run share: the headless shell, which needs less than half the CPU time. Each page has its own
/// context, and so its own cookies and cache.</summary>
public static class Browser
{
    // Without these arguments Chromium calls Google. A test that asserts "no request left the host" would see those requests.
    private static readonly string[] Arguments =
    [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        // Otherwise each page starts a process of its own.
        "--renderer-process-limit=2",
    ];

    // Nobody closes it: Playwright's driver closes it when the pipe from the test host closes.
    private static readonly Lazy<Task<IBrowser>> Chromium = new(LaunchAsync);

    public static async Task<BrowserPage> NewPageAsync(BrowserNewContextOptions? options = null)
    {
        var context = await (await Chromium.Value).NewContextAsync(options);
        context.SetDefaultTimeout((float)Eventually.Patience.TotalMilliseconds);
        return await BrowserPage.OpenAsync(context);
    }

    private static async Task<IBrowser> LaunchAsync()
    {
        var program = Environment.GetEnvironmentVariable("CHROMIUM") is { Length: > 0 } chosen
            ? chosen
            : "/usr/bin/chromium-headless-shell";
        if (!File.Exists(program))
        {
            throw new InvalidOperationException(
                $"No Chromium at {program}: run ./test.sh, which installs it, or set CHROMIUM to its path."
            );
        }

        Assertions.SetDefaultExpectTimeout((float)Eventually.Patience.TotalMilliseconds);
        var playwright = await Playwright.CreateAsync();
        return await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = program, Args = Arguments });
    }
}
