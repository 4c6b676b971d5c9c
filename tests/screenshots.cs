#:project AutoTicket.Testing/AutoTicket.Testing.csproj
#:property AssemblyName=AutoTicket.Screenshots
#:property PlaywrightPlatform=linux
#:property RestorePackagesWithLockFile=false
#:property PublishAot=false
#:property OutputPath=$(RepoRoot)tests/bin/screenshots/
#:property NoWarn=$(NoWarn);CA2007

// dotnet run tests/screenshots.cs [-- FOLDER]
// Takes the pictures of the README from a real console with a day of data, in a night that always passes in the same way.
// With a folder: every page at five widths, in both color schemes, into that folder.
using System.Net.Http.Json;
using AutoTicket.Alerts;
using AutoTicket.Hosting;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using Microsoft.Extensions.Options;
using Microsoft.Playwright;

const int Ada = 1;
const int Ben = 2;
var night = new DateTimeOffset(2026, 11, 24, 2, 30, 0, TimeSpan.Zero);
(string Key, string Name, string Group, string Severity, int Latency)[] surfaces =
[
    ("storefront", "Storefront", "Shop", "P1", 120),
    ("checkout", "Checkout", "Shop", "P1", 210),
    ("payments", "Payments API", "Shop", "P1", 180),
    ("search", "Search", "Shop", "P2", 95),
    ("images", "Product images", "Shop", "P3", 40),
    ("sign-in", "Sign-in", "Customers", "P1", 75),
    ("accounts", "Customer accounts", "Customers", "P2", 110),
    ("mail", "E-mail delivery", "Customers", "P2", 320),
    ("loyalty", "Loyalty points", "Customers", "P3", 140),
    ("warehouse", "Warehouse", "Back office", "P2", 260),
    ("invoices", "Invoicing", "Back office", "P2", 330),
    ("reports", "Reports", "Back office", "P4", 540),
    ("import", "Data import", "Back office", "P3", 450),
    ("backup", "Backup service", "Back office", "P2", 60),
];

var clock = new NightClock(night);
await using var sandbox = await SandboxServer.StartAsync(new SandboxSettings { Clock = clock });
await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
await StorePastAsync();
var settings = new Dictionary<string, string?>
{
    ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
    ["ALERTS_INGEST_TOKEN"] = "screenshots",
    ["Status:PollInterval"] = "00:00:02",
};
foreach (var (surface, index) in surfaces.Select((surface, index) => (surface, index)))
{
    settings[$"Surfaces:{index}:Key"] = surface.Key;
    settings[$"Surfaces:{index}:Name"] = surface.Name;
    settings[$"Surfaces:{index}:Group"] = surface.Group;
    settings[$"Surfaces:{index}:Severity"] = surface.Severity;
    settings[$"Surfaces:{index}:Url"] = sandbox.Surface(surface.Key).Url.AbsoluteUri;
    sandbox.Surface(surface.Key).Answer(delay: TimeSpan.FromMilliseconds(surface.Latency));
}

await using var console = await ConsoleHost.StartAsync(database, sandbox, settings, clock);
await console.WaitForFlagsAsync();
await UntilAsync("search", SurfaceStatus.Operational);
await LiveThroughTheNightAsync();

var folder = args is [var chosen] ? chosen : Path.Combine(ContentRoot.Find(), "docs", "images");
var incident = AlertIdentity.KeyOf(AlertIdentity.OfSurface("payments"));
if (args.Length == 0)
{
    await TakeAsync("board", "/console/status", 1280, 860, ColorScheme.Light);
    await TakeAsync("board-dark", "/console/status", 1280, 860, ColorScheme.Dark);
    await TakeAsync("incident", $"/console/incidents/{incident}", 1280, 860, ColorScheme.Light);
    await TakeAsync("surface", "/console/status/payments", 1280, 860, ColorScheme.Dark);
    await TakeAsync("tickets", "/console/tickets", 1280, 860, ColorScheme.Light);
    return;
}

foreach (
    var path in new[]
    {
        "status",
        "status?view=dense",
        "status?view=wall",
        "status/payments",
        "incidents",
        $"incidents/{incident}",
        "alerts",
        $"alerts/{incident}",
        "tickets",
        "flags",
        "audit",
        "diagnostics",
    }
)
{
    foreach (var width in new[] { 1440, 1024, 768, 390, 360 })
    {
        foreach (var scheme in new[] { ColorScheme.Light, ColorScheme.Dark })
        {
            var name = path.Replace('/', '-')
                .Replace("?view=", "-", StringComparison.Ordinal)
                .Replace(incident, "one", StringComparison.Ordinal);
            await TakeAsync($"{name}-{width}-{scheme}".ToLowerInvariant(), $"/console/{path}", width, 900, scheme, whole: true);
        }
    }
}

async Task LiveThroughTheNightAsync()
{
    sandbox.Surface("search").Answer(503);
    await UntilAsync("search", SurfaceStatus.Down);
    using var maintenance = await console.Http.PostAsJsonAsync(
        "/api/surfaces/reports/maintenance",
        new { @for = "2h", reason = "Moving to the new disks" }
    );
    maintenance.EnsureSuccessStatusCode();
    await MinutesAsync(3);
    await SendAsync("backup_failed", "P2", "The nightly backup of orders did not finish");
    await SendAsync("disk_almost_full", "P3", "db-1: 91 % of /var is used");
    sandbox.Surface("payments").Answer(503);
    await UntilAsync("payments", SurfaceStatus.Down);
    await Eventually.TrueAsync(() => sandbox.FreeScout.Conversations.Count >= 3, "three tickets are filed");
    await MinutesAsync(2);
    sandbox.Surface("search").Answer(delay: TimeSpan.FromMilliseconds(95));
    sandbox.Surface("import").Answer(delay: TimeSpan.FromMilliseconds(2600));
    await UntilAsync("search", SurfaceStatus.Operational);
    var ticket = sandbox.FreeScout.Conversations.First(one => one.Subject.Contains("Payments", StringComparison.Ordinal)).Id;
    sandbox.FreeScout.Assign(ticket, Ada, by: Ada);
    await MinutesAsync(2);
    sandbox.FreeScout.ReplyByAgent(ticket, "<p>The payment provider is down; they are on it.</p>", Ada);
    var backup = sandbox.FreeScout.Conversations.First(one => one.Subject.Contains("backup", StringComparison.Ordinal)).Id;
    sandbox.FreeScout.Assign(backup, Ben, by: Ben);
    await MinutesAsync(3);
    await Eventually.TrueAsync(() => console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None), "the tickets are read again");
    await MinutesAsync(1);
}

// The surfaces are stale until they are checked again.
async Task MinutesAsync(int minutes)
{
    clock.Jump(TimeSpan.FromMinutes(minutes));
    await Task.Delay(TimeSpan.FromSeconds(5));
}

Task UntilAsync(string surface, SurfaceStatus status) =>
    Eventually.TrueAsync(() => console.Get<StatusBoard>().Find(surface)!.Status == status, $"{surface} is {status}");

async Task SendAsync(string name, string severity, string summary)
{
    using var request = new HttpRequestMessage(HttpMethod.Post, "/api/alerts")
    {
        Headers = { { "Authorization", "Bearer screenshots" } },
        Content = JsonContent.Create(
            new
            {
                name,
                severity,
                summary,
                status = "firing",
                source = "prometheus",
            }
        ),
    };
    using var answer = await console.Http.SendAsync(request);
    answer.EnsureSuccessStatusCode();
}

async Task TakeAsync(string name, string path, int width, int height, ColorScheme scheme, bool whole = false)
{
    await using var browser = await Browser.NewPageAsync(
        new BrowserNewContextOptions
        {
            ColorScheme = scheme,
            TimezoneId = "UTC",
            ViewportSize = new ViewportSize { Width = width, Height = height },
        }
    );
    await browser.Page.GotoAsync(new Uri(console.Address, path).AbsoluteUri, new() { WaitUntil = WaitUntilState.NetworkIdle });
    await browser.Page.WaitForTimeoutAsync(1500);
    Directory.CreateDirectory(folder);
    await browser.Page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"{name}.png"), FullPage = whole });
    Console.WriteLine($"{name}.png");
}

// Thirty days of checks, the closer together the younger they are; the last ones fill the tiles.
async Task StorePastAsync()
{
    await using var db = database.Open();
    db.ChangeTracker.AutoDetectChangesEnabled = false;
    var random = new Random(7);
    foreach (var surface in surfaces)
    {
        var (status, since) = (SurfaceStatus.Operational, night - TimeSpan.FromDays(30));
        for (var at = since; at < night; at += Pause(night - at))
        {
            var next = StatusAt(surface.Key, at);
            since = next == status ? since : at;
            status = next;
            // Busier by day, with a few slow answers.
            var load = 1 + (0.5 * Math.Sin((at.Hour - 8) * Math.PI / 12)) + (random.NextDouble() < 0.03 ? 2 : random.NextDouble() * 0.3);
            db.Add(
                new SurfaceReading
                {
                    SurfaceKey = surface.Key,
                    CheckedAt = at,
                    Outcome = status switch
                    {
                        SurfaceStatus.Down => ReadingOutcome.Failed,
                        SurfaceStatus.Degraded => ReadingOutcome.Slow,
                        _ => ReadingOutcome.Ok,
                    },
                    LatencyMs =
                        status == SurfaceStatus.Down ? null : (int)(surface.Latency * load * (status == SurfaceStatus.Degraded ? 6 : 1)),
                    Cause = status switch
                    {
                        SurfaceStatus.Down => "503 Service Unavailable",
                        SurfaceStatus.Degraded => "Slow (limit 1 s)",
                        _ => null,
                    },
                    Reached = true,
                    Status = status,
                    Since = since,
                    IntervalMs = (int)Pause(night - at).TotalMilliseconds,
                }
            );
        }
    }

    await db.SaveChangesAsync();
    await RollUpAsync(night - TimeSpan.FromDays(1), TimeSpan.FromMinutes(15));
    await RollUpAsync(night, TimeSpan.FromSeconds(30));
}

// As a console did that checked this often.
async Task RollUpAsync(DateTimeOffset until, TimeSpan interval) =>
    await new SurfaceAvailability(new Contexts(database), Options.Create(new StatusOptions { PollInterval = interval }), clock).CountAsync(
        until,
        tidy: true,
        CancellationToken.None
    );

static TimeSpan Pause(TimeSpan ago) =>
    ago > TimeSpan.FromDays(1) ? TimeSpan.FromMinutes(15)
    : ago > TimeSpan.FromMinutes(4) ? TimeSpan.FromSeconds(30)
    : TimeSpan.FromSeconds(4);

SurfaceStatus StatusAt(string surface, DateTimeOffset at)
{
    var ago = night - at;
    return surface switch
    {
        "payments" when ago.TotalDays is > 9 and < 9.1 => SurfaceStatus.Down,
        "payments" when ago.TotalHours is > 5.5 and < 5.8 => SurfaceStatus.Degraded,
        "mail" when ago.TotalHours is > 11 and < 11.4 => SurfaceStatus.Down,
        "import" when ago.TotalDays % 3 is > 1 and < 1.05 => SurfaceStatus.Degraded,
        "search" when ago.TotalDays is > 4 and < 4.05 => SurfaceStatus.Down,
        _ => SurfaceStatus.Operational,
    };
}

/// <summary>Passes as the machine's clock does, and jumps when nothing would happen for minutes.</summary>
internal sealed class NightClock(DateTimeOffset start) : TimeProvider
{
    private TimeSpan _ahead = start - System.GetUtcNow();

    public void Jump(TimeSpan by) => _ahead += by;

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + _ahead;
}
