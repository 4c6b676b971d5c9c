using System.Net;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Mailbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.EntityFrameworkCore;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

public sealed class EveryPageTests(EveryPageTests.Phone phone) : IClassFixture<EveryPageTests.Phone>
{
    private static readonly Observation Long = new(
        "noisy",
        "an_alert_with_a_name_that_does_not_fit_on_a_phone_because_its_author_never_had_one",
        "pay",
        Severity.P1,
        "https://example.org/" + new string('x', 300),
        true,
        new Dictionary<string, string>(),
        ProducerId: "id-1",
        FullText: new string('y', 5000) + string.Concat(Enumerable.Repeat("\nline", 200)),
        Url: "https://example.org/" + new string('z', 300),
        AllLabels: $$"""{"{{new string('l', 100)}}":"{{new string('v', 300)}}"}"""
    );

    // Null: focused before, so all stops are visited. Empty: the focus can be seen, or is on nothing. Otherwise the element without a ring.
    private const string FocusedWithoutRing = """
        () => {
          const focused = document.activeElement;
          // A date field has several stops. The router focuses the heading, which is none.
          if (focused === document.body || focused === window.focused || focused.tabIndex < 0) return "";
          window.focused = focused;
          window.visited ??= new Set();
          if (window.visited.has(focused)) return null;
          window.visited.add(focused);
          const field = focused.closest(".mud-input");
          if (field) return getComputedStyle(field.querySelector("fieldset")).borderTopWidth === "2px" ? "" : focused.outerHTML;
          const shown = focused.matches("[type=checkbox], [type=radio]") ? focused.parentElement : focused;
          const { outlineStyle, outlineWidth } = getComputedStyle(shown);
          const isVisible = outlineStyle === "solid" && outlineWidth === "3px" && shown.checkVisibility({ opacityProperty: true });
          return isVisible ? "" : focused.outerHTML;
        }
        """;

    public static readonly TheoryData<string> Paths = new(
        "/console/status",
        "/console/status?view=wall",
        "/console/status?view=dense",
        "/console/status/pay",
        "/console/status/pay?range=7d",
        "/console/status/pay?range=30d",
        "/console/status/pay?range=90d",
        "/console/alerts",
        $"/console/alerts/{AlertIdentity.KeyOf(Long.AlertId)}",
        "/console/incidents",
        "/console/incidents?state=ended&severity=p1&surface=pay&since=2026-01-01T00:00:00Z",
        $"/console/incidents/{AlertIdentity.KeyOf(AlertIdentity.OfSurface("pay"))}",
        $"/console/incidents/{AlertIdentity.KeyOf(Long.AlertId)}",
        "/console/tickets",
        "/console/flags",
        "/console/audit",
        "/console/diagnostics",
        "/login",
        "/not-found"
    );

    [Theory, MemberData(nameof(Paths))]
    public async Task A_page_is_accessible_requests_no_other_host_and_fits_every_width(string path)
    {
        await Page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Light });
        await Page.GotoAsync(new Uri(Console.Address, path).AbsoluteUri);
        await Assertions.Expect(Page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToBeVisibleAsync();
        await Page.WaitForLoadStateAsync(LoadState.NetworkIdle);
        await SettleAsync(path, "light");
        await AssertAccessibleAsync(path, "light", new AxeRunOptions());
        Assert.Equal(360, await Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"));
        try
        {
            foreach (var width in new[] { 720, 768, 1024, 1440 })
            {
                await Page.SetViewportSizeAsync(width, 900);
                Assert.True(
                    await Page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"),
                    $"The page is wider than {width} px."
                );
            }

            await SettleAsync(path, "light");
            await AssertAccessibleAsync(path, "light-wide", new AxeRunOptions());
        }
        finally
        {
            await Page.SetViewportSizeAsync(360, 740);
        }

        await Page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Dark });
        await SettleAsync(path, "dark");
        // Only colors differ between the two schemes.
        await AssertAccessibleAsync(path, "dark", new AxeRunOptions { RunOnly = RunOnlyOptions.Rules("color-contrast") });

        Assert.Equal([Console.Address.Authority], phone.Browser.RequestHosts);
        phone.Browser.AssertNoErrors();
    }

    [Theory, MemberData(nameof(Paths))]
    public async Task The_focus_is_visible_at_every_tab_stop(string path)
    {
        await Page.GotoAsync(new Uri(Console.Address, path).AbsoluteUri);
        await Assertions.Expect(Page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToBeVisibleAsync();
        await Page.WaitForLoadStateAsync(LoadState.NetworkIdle);
        List<string> without = [];
        for (var stops = 0; ; stops++)
        {
            Assert.True(stops < 500, "The tab key did not come around.");
            await Page.Keyboard.PressAsync("Tab");
            if (await Page.EvaluateAsync<string?>(FocusedWithoutRing) is not { } element)
            {
                break;
            }

            without.AddRange(element is "" ? [] : [element]);
        }

        Assert.True(without.Count == 0, string.Join('\n', without));
    }

    [Theory]
    [InlineData("status", "Maintenance… of Surface pay")]
    [InlineData("status/pay", "Plan maintenance… of Surface pay")]
    [InlineData("flags", "Switch off…")]
    [InlineData("status/pay", "Plan maintenance… of Surface pay", null, "Every week…")]
    [InlineData("alert", "Snooze…")]
    [InlineData("alerts", "Why (")]
    [InlineData("status", "Control+k")]
    [InlineData("status", "?")]
    [InlineData("tickets", "Resolve 1…", "Select #")]
    [InlineData("tickets", "Resolve 2…", "Select all 2")]
    public async Task A_form_or_dialog_is_accessible_and_fits_a_phone(
        string page,
        string opener,
        string? before = null,
        string? choice = null
    )
    {
        var path = $"/console/{(page == "alert" ? $"alerts/{AlertIdentity.KeyOf(Long.AlertId)}" : page)}";
        await Page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Light });
        await Page.GotoAsync(new Uri(Console.Address, path).AbsoluteUri);
        await Page.WaitForLoadStateAsync(LoadState.NetworkIdle);
        await SettleAsync(path, "light");
        // A click or key before the circuit is live does nothing.
        var opened = Page.Locator("dialog:modal, main form:visible, main [role=alertdialog], main .panel").First;
        await Eventually.TrueAsync(
            async () =>
            {
                var button = Page.GetByRole(AriaRole.Button, new() { Name = opener }).First;
                if (await opened.IsVisibleAsync())
                {
                    return true;
                }

                if (before is not null && !await button.IsVisibleAsync())
                {
                    await Page.GetByRole(AriaRole.Checkbox, new() { Name = before })
                        .Or(Page.GetByRole(AriaRole.Button, new() { Name = before }))
                        .First.ClickAsync(new() { Timeout = 2000 });
                }
                else
                {
                    await (
                        opener.Length < 2 || opener.StartsWith("Control", StringComparison.Ordinal)
                            ? Page.Keyboard.PressAsync(opener)
                            : button.ClickAsync(new() { Timeout = 2000 })
                    );
                }

                return await opened.IsVisibleAsync();
            },
            "it is open"
        );
        if (choice is not null)
        {
            await opened.GetByRole(AriaRole.Radio, new() { Name = choice }).PressAsync("Space");
            await Assertions.Expect(opened.GetByRole(AriaRole.Group, new() { Name = "Days" })).ToBeVisibleAsync();
        }

        await AssertAccessibleAsync($"{path}-{opener}", "light", new AxeRunOptions());
        Assert.Equal(360, await Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"));
        await Page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Dark });
        await SettleAsync(path, "dark");
        await AssertAccessibleAsync($"{path}-{opener}", "dark", new AxeRunOptions { RunOnly = RunOnlyOptions.Rules("color-contrast") });
    }

    [Theory, MemberData(nameof(Paths))]
    public async Task Every_asset_of_a_page_has_content(string path) => await Assets.HaveBytesAsync(Console.Http, path);

    [Fact]
    public async Task A_missing_asset_answers_404()
    {
        var answer = await Console.Http.GetAsync(new Uri("/fonts/none.woff2", UriKind.Relative));

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    private ConsoleHost Console => phone.Journey.Console;

    private IPage Page => phone.Browser.Page;

    /// <summary>Waits until a live page has applied the browser's color scheme and animated the change. The sign-in page is not
    /// live.</summary>
    private async Task SettleAsync(string path, string scheme) =>
        await Page.WaitForFunctionAsync(
            "scheme => (!scheme "
                + "|| getComputedStyle(document.documentElement).getPropertyValue('--mud-native-html-color-scheme') === scheme) "
                + "&& document.getAnimations().length === 0",
            path == "/login" ? null : scheme
        );

    private async Task AssertAccessibleAsync(string path, string scheme, AxeRunOptions options)
    {
        var found = await Page.RunAxe(options);
        await phone.Browser.ScreenshotAsync($"phone{path.Replace('/', '-')}-{scheme}");
        Assert.True(
            found.Violations.Length == 0,
            string.Join(
                '\n',
                found.Violations.Select(violation =>
                    $"{scheme}: {violation.Id}: {violation.Help}: {string.Join(" | ", violation.Nodes.Select(node => node.Html))}"
                )
            )
        );
    }

    /// <summary>A phone's browser on a console that has content for every page: a surface that is down, its ticket, audit entries, and a
    /// producer with unstable alert ids.</summary>
    public sealed class Phone : IAsyncLifetime
    {
        internal JourneyHost Journey { get; } =
            new() { Settings = new Dictionary<string, string?> { ["Ticketing:RecoveredAfter"] = "00:00:00" } };

        internal BrowserPage Browser { get; private set; } = default!;

        public async Task InitializeAsync()
        {
            await Journey.InitializeAsync();
            Journey.Publish("pay", ReadingOutcome.Failed);
            using var answer = await Journey.Console.Http.PostAsync("/api/surfaces/pay/investigate", null);
            answer.EnsureSuccessStatusCode();
            var outage = AlertIdentity.KeyOf(AlertIdentity.OfSurface("pay"));
            await Eventually.TrueAsync(
                async () =>
                    (await Journey.Console.Http.GetAsync(new Uri($"/api/incidents/{outage}", UriKind.Relative))).IsSuccessStatusCode,
                "the outage is an incident"
            );
            foreach (var key in new[] { "shop", "mail" })
            {
                Journey.Sandbox.FreeScout.CreateByHand($"[P2] Surface {key} is down", ["auto:status", $"surface:{key}"]);
            }

            await Journey.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
            await Eventually.TrueAsync(() => Journey.Console.Get<RecoveredTickets>().Current.Count == 2, "two tickets are ready to close");
            foreach (var id in new[] { "id-1", "id-2", "id-3" })
            {
                await Journey.Console.Get<AlertAggregator>().ObserveAsync([Long with { ProducerId = id }], CancellationToken.None);
            }

            // Some hours of each state, so that the trends show every color.
            await using (var db = await Journey.Console.Get<IDbContextFactory<AutoTicketDbContext>>().CreateDbContextAsync())
            {
                var hour = TimeProvider.System.GetUtcNow().Floor(TimeSpan.FromHours(1));
                db.SurfaceHours.AddRange(
                    Enumerable
                        .Range(2, 24 * 80)
                        .Select(i => new TrendStep(
                            hour.AddHours(-i),
                            i % 5 * 600_000,
                            i % 5 * 540_000,
                            i % 3,
                            i % 4,
                            20 + (i % 7),
                            90 + (i % 70)
                        ))
                        .Select(step => SurfaceHour.Of("pay", step))
                );
                await db.SaveChangesAsync();
            }

            Browser = await Kit.Browser.NewPageAsync(
                new BrowserNewContextOptions
                {
                    ViewportSize = new ViewportSize { Width = 360, Height = 740 },
                }
            );
        }

        public async Task DisposeAsync()
        {
            await Browser.DisposeAsync();
            await Journey.DisposeAsync();
        }
    }
}
