#:project AutoTicket.Testing/AutoTicket.Testing.csproj
#:property AssemblyName=AutoTicket.Screenshots
#:property PlaywrightPlatform=linux
#:property RestorePackagesWithLockFile=false
#:property PublishAot=false
#:property OutputPath=$(RepoRoot)tests/bin/recording/
#:property NoWarn=$(NoWarn);CA2007

// dotnet run tests/recording.cs
// Makes docs/images/recording.webp from a real console: a click whose answer is lost, the one ticket that is found, and its end.
// Needs img2webp (Debian's package webp).
using System.Diagnostics;
using AutoTicket.Hosting;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using Microsoft.Playwright;

(string Key, string Name)[] surfaces = [("checkout", "Checkout"), ("storefront", "Storefront"), ("mail", "E-mail delivery")];
await using var sandbox = await SandboxServer.StartAsync();
var settings = new Dictionary<string, string?>
{
    ["Status:PollInterval"] = "00:00:02",
    ["Ticketing:RecoveredAfter"] = "00:00:05",
    ["Ticketing:SyncInterval"] = "00:00:05",
};
foreach (var (surface, index) in surfaces.Select((surface, index) => (surface, index)))
{
    settings[$"Surfaces:{index}:Key"] = surface.Key;
    settings[$"Surfaces:{index}:Name"] = surface.Name;
    settings[$"Surfaces:{index}:Severity"] = index == 0 ? "P1" : "P2";
    settings[$"Surfaces:{index}:Url"] = sandbox.Surface(surface.Key).Url.AbsoluteUri;
}

await using var console = await ConsoleHost.StartAsync(sandbox: sandbox, settings: settings);
await console.WaitForFlagsAsync();
await UntilAsync(SurfaceStatus.Operational);
sandbox.Surface("checkout").Answer(503);
await UntilAsync(SurfaceStatus.Down);
await using var browser = await Browser.NewPageAsync(
    new BrowserNewContextOptions
    {
        ColorScheme = ColorScheme.Light,
        TimezoneId = "UTC",
        ViewportSize = new ViewportSize { Width = 960, Height = 600 },
    }
);
var page = browser.Page;
var frames = Directory.CreateTempSubdirectory("autoticket-recording-");
List<(string File, int Milliseconds)> shots = [];

await OpenAsync("/console/status");
await ShotAsync("Checkout is down. FreeScout will create the ticket, but its answer will be lost.", 3500);
var lost = sandbox.Faults.Add(new Fault(FaultKind.HangAfter) { Match = FaultMatch.FreeScoutCreate });
await page.GetByRole(AriaRole.Button, new() { NameRegex = new("Investigate") }).First.ClickAsync();
await Eventually.TrueAsync(() => lost.Hits > 0, "FreeScout was asked to create the ticket");
await page.WaitForTimeoutAsync(1500);
await ShotAsync("One click. FreeScout creates the ticket and never answers.", 3000);
lost.Dispose();
await Eventually.TrueAsync(() => console.Get<OpenTickets>().Of("checkout").Ticket is not null, "the ticket is found");
await page.WaitForTimeoutAsync(1500);
await ShotAsync("The console looks before it posts again, and finds the one ticket.", 4000);
sandbox.Surface("checkout").Answer(200);
await UntilAsync(SurfaceStatus.Operational);
await OpenAsync("/console/tickets");
var resolve = page.GetByRole(AriaRole.Button, new() { NameRegex = new("^Resolve 1") });
await page.GetByRole(AriaRole.Checkbox, new() { NameRegex = new("^Select #") }).First.CheckAsync(new() { Timeout = 60_000 });
await ShotAsync("Checkout has recovered: its ticket is ready to close.", 3500);
await resolve.ClickAsync();
await page.GetByLabel("Note on each ticket").WaitForAsync();
await page.WaitForTimeoutAsync(500);
await ShotAsync("An operator resolves it, with the evidence as a note.", 3500);
await page.GetByRole(AriaRole.Button, new() { NameRegex = new("^Resolve #") }).ClickAsync();
await page.GetByText("1 resolved.").WaitForAsync(new() { Timeout = 60_000 });
await ShotAsync($"Resolved. FreeScout has {sandbox.FreeScout.Conversations.Count} ticket of this outage.", 4500);

var picture = Path.Combine(ContentRoot.Find(), "docs", "images", "recording.webp");
List<string> arguments = ["-loop", "0"];
foreach (var (file, milliseconds) in shots)
{
    arguments.AddRange(["-lossy", "-q", "70", "-d", $"{milliseconds}", file]);
}

using var encoder = Process.Start("img2webp", [.. arguments, "-o", picture]);
await encoder.WaitForExitAsync();
frames.Delete(recursive: true);
Console.WriteLine($"{picture}: {new FileInfo(picture).Length / 1024} KiB");
return encoder.ExitCode;

Task UntilAsync(SurfaceStatus status) =>
    Eventually.TrueAsync(() => console.Get<StatusBoard>().Find("checkout")!.Status == status, $"Checkout is {status}");

async Task OpenAsync(string path)
{
    await page.GotoAsync(new Uri(console.Address, path).AbsoluteUri, new() { WaitUntil = WaitUntilState.NetworkIdle });
    await page.WaitForTimeoutAsync(1500);
}

async Task ShotAsync(string caption, int milliseconds)
{
    await page.EvaluateAsync(
        """
        caption => {
          const line = document.getElementById('caption') ?? document.body.appendChild(document.createElement('div'));
          line.id = 'caption';
          line.textContent = caption;
          line.style = 'position:fixed;inset:auto 0 0 0;padding:14px 24px;background:#1d2733;color:#fff;font:500 20px Roboto;z-index:9999';
        }
        """,
        caption
    );
    var file = Path.Combine(frames.FullName, $"{shots.Count}.png");
    await page.ScreenshotAsync(new() { Path = file });
    await page.EvaluateAsync("document.getElementById('caption').remove()");
    shots.Add((file, milliseconds));
    Console.WriteLine(caption);
}
