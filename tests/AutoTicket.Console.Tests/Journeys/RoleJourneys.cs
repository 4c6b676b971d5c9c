using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.Sandbox;
using AutoTicket.Security;
using AutoTicket.Surfaces;
using Microsoft.EntityFrameworkCore;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

/// <summary>A viewer, an operator and an admin sign in at a real OpenID provider with a browser.</summary>
public sealed class RoleJourneys(RoleJourneys.SignedInAtProvider provider) : IClassFixture<RoleJourneys.SignedInAtProvider>
{
    [Fact]
    [Trait("Pitfall", "T-65")]
    public async Task A_viewer_sees_everything_reads_why_actions_are_off_and_signs_out()
    {
        await using var vera = await SignInAsync("vera", "staff", "/console/status");
        await Assertions.Expect(vera.Tile("Surface pay")).ToContainTextAsync("down", new() { IgnoreCase = true });
        await Assertions.Expect(vera.Investigate("Surface pay")).ToHaveCountAsync(0);
        await Assertions.Expect(vera.Text("Investigating needs the operator role")).ToBeVisibleAsync();
        await Assertions.Expect(vera.Text("vera · viewer")).ToBeVisibleAsync();
        var off = new FlagChangeRequest(false, "a journey");
        await provider.Console.Get<FlagWatch>().ChangeAsync(FlagNames.AlertsAutoTicket, off, "ada", CancellationToken.None);
        await Assertions.Expect(vera.Text("Automatic tickets for alerts are switched off by ada: “a journey”.")).ToBeVisibleAsync();
        await Assertions.Expect(vera.Link("Switch on…")).ToHaveCountAsync(0);

        await vera.GoToAsync("/console/tickets");
        await Assertions.Expect(vera.Button("Refresh")).ToHaveCountAsync(0);
        await vera.GoToAsync("/console/flags");
        await Assertions.Expect(vera.Text("needs the admin role")).ToBeVisibleAsync();
        await Assertions.Expect(vera.Button("Switch")).Not.ToHaveCountAsync(0);
        foreach (var button in await vera.Button("Switch").AllAsync())
        {
            await Assertions.Expect(button).ToBeDisabledAsync();
        }

        await vera.Page.GetByRole(AriaRole.Button, new() { Name = "Sign out", Exact = true }).ClickAsync();
        // The provider asks whether to end its own session as well.
        await vera
            .Page.GetByRole(
                AriaRole.Button,
                new() { NameRegex = new("Yes, sign me out", System.Text.RegularExpressions.RegexOptions.IgnoreCase) }
            )
            .ClickAsync();
        await Assertions.Expect(vera.Heading).ToHaveTextAsync("Sign in");
        await vera.Page.GotoAsync(new Uri(provider.Console.Address, "/console/flags").AbsoluteUri);
        await vera.Page.GetByRole(AriaRole.Link, new() { Name = "Sign in at 127.0.0.1" }).ClickAsync();
        await Assertions.Expect(vera.Page.Locator("input[name=login]")).ToBeVisibleAsync();
        Assert.DoesNotContain(vera.ConsoleErrors, IsOurs);
    }

    [Fact]
    [Trait("Pitfall", "T-65")]
    public async Task An_operator_files_a_ticket_and_cannot_touch_a_flag()
    {
        await using var olga = await SignInAsync("olga", "on-call", "/console/status");
        await olga.Investigate("Surface pay").ClickAsync();
        await Assertions.Expect(olga.Outcome("Surface pay")).ToContainTextAsync("#");
        await olga.GoToAsync("/console/tickets");
        await olga.Button("Refresh").ClickAsync();
        await Assertions.Expect(olga.Text("You are signed in as")).ToHaveCountAsync(0);
        await olga.GoToAsync("/console/flags");
        await Assertions.Expect(olga.Button($"Switch off… {FlagNames.InvestigateFromStatus}")).ToBeDisabledAsync();

        await using var db = Open();
        Assert.Equal("user:olga", (await db.AuditLog.SingleAsync(entry => entry.Action == AuditActions.InvestigateFiled)).Actor);
        Assert.DoesNotContain(olga.ConsoleErrors, IsOurs);
    }

    [Fact]
    [Trait("Pitfall", "T-63")]
    public async Task An_admin_flips_a_flag_until_the_role_is_lost_and_the_open_page_updates()
    {
        await using var ada = await SignInAsync("ada", "sre", "/console/flags");
        await Assertions.Expect(ada.Link("Switch on…")).ToBeVisibleAsync();
        await FlipAsync(ada, "Switch on…", "Switch on now");
        await using (var db = Open())
        {
            Assert.Equal(
                "user:ada",
                (
                    await db
                        .AuditLog.OrderBy(entry => entry.Id)
                        .LastAsync(entry => entry.Action == AuditActions.FlagChanged && entry.Actor != "environment")
                ).Actor
            );
        }

        // The open page follows the role without any input.
        await provider.Real.SetUserAsync("ada", "staff");
        await Assertions.Expect(ada.Text("ada · viewer")).ToBeVisibleAsync();
        await Assertions.Expect(ada.Button($"Switch off… {FlagNames.AlertsAutoTicket}")).ToBeDisabledAsync();

        await provider.Real.SetUserAsync("ada", null);
        await Assertions.Expect(ada.Heading).ToHaveTextAsync("Sign in");
        Assert.Contains("returnUrl=%2Fconsole%2Fflags", ada.Page.Url, StringComparison.Ordinal);
        Assert.DoesNotContain(ada.ConsoleErrors, IsOurs);
    }

    [Fact]
    public async Task Signing_out_or_an_expired_session_ends_all_tabs()
    {
        await using var sol = await SignInAsync("sol", "staff", "/console/status");
        var other = await sol.Page.Context.NewPageAsync();
        await other.GotoAsync(new Uri(provider.Console.Address, "/console/alerts").AbsoluteUri);
        await Assertions.Expect(other.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("Alerts");
        await sol.Page.GetByRole(AriaRole.Button, new() { Name = "Sign out", Exact = true }).ClickAsync();
        await Assertions.Expect(other.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("Sign in");

        await using var exa = await SignInAsync("exa", "staff", "/console/status");
        await using var db = Open();
        Assert.Equal(
            1,
            await db
                .Sessions.Where(session => session.Name == "user:exa")
                .ExecuteUpdateAsync(set => set.SetProperty(session => session.ExpiresAt, session => session.CreatedAt))
        );
        await Assertions.Expect(exa.Heading).ToHaveTextAsync("Sign in");
    }

    [Fact]
    public async Task A_half_written_reason_is_not_shown_to_the_next_user_of_the_tab()
    {
        await using var una = await SignInAsync("una", "sre", "/console/flags");
        var (page, browser) = (una.Page, una.Page.Context);
        await WriteAsync("of una");
        await page.GotoAsync("about:blank");

        // Another user signs in from another tab of the browser.
        await using var uli = await SignInAsync("uli", "sre", "/console/status");
        await browser.ClearCookiesAsync();
        await browser.AddCookiesAsync(
            (await uli.Page.Context.CookiesAsync()).Select(cookie => new Cookie
            {
                Name = cookie.Name,
                Value = cookie.Value,
                Domain = cookie.Domain,
                Path = cookie.Path,
                Secure = cookie.Secure,
                HttpOnly = cookie.HttpOnly,
            })
        );
        await una.GoToAsync("/console/flags");
        await Assertions.Expect(una.Text("uli · admin")).ToBeVisibleAsync();
        await WriteAsync("of uli");
        await una.GoToAsync("/console/flags");
        Assert.Equal(2, await page.EvaluateAsync<int>("() => sessionStorage.length"));

        // The next one signs in from this tab.
        await using var db = Open();
        await db.Sessions.Where(session => session.Name == "user:uli").ExecuteDeleteAsync();
        await Assertions.Expect(una.Heading).ToHaveTextAsync("Sign in");
        await Eventually.TrueAsync(
            async () => await page.EvaluateAsync<int>("() => sessionStorage.length") == 0,
            "the sign-in page has removed the reasons"
        );

        async Task WriteAsync(string text)
        {
            await una.Button($"Switch off… {FlagNames.InvestigateFromStatus}").ClickAsync();
            var reason = page.GetByLabel("Reason (required)");
            await Assertions.Expect(reason).ToBeFocusedAsync();
            await Assertions.Expect(reason).ToHaveValueAsync("");
            await reason.PressSequentiallyAsync(text);
        }
    }

    /// <summary>Whether the console caused the error. The provider's pages request a web font, which fails.</summary>
    private bool IsOurs(string error) => error.Contains(provider.Console.Address.Authority, StringComparison.Ordinal);

    private async Task<ConsolePage> SignInAsync(string user, string role, string path)
    {
        await provider.Real.SetUserAsync(user, role);
        var page = await ConsolePage.OpenSignedOutAsync(provider.Console.Address, path);
        await page.Page.GetByRole(AriaRole.Link, new() { Name = "Sign in at 127.0.0.1" }).ClickAsync();
        await page.Page.Locator("input[name=login]").FillAsync(user);
        await page.Page.Locator("input[name=password]").FillAsync("anything");
        await page.Page.Locator("button[type=submit]").ClickAsync();
        await page.IsLiveAsync();
        Assert.Equal(new Uri(provider.Console.Address, path).AbsoluteUri, page.Page.Url);
        return page;
    }

    private static async Task FlipAsync(ConsolePage page, string open, string submit)
    {
        await page.Button($"{open} {FlagNames.AlertsAutoTicket}").ClickAsync();
        await page.Page.GetByLabel("Reason (required)").FillAsync("a journey");
        await page.Button(submit).ClickAsync();
        await Assertions.Expect(page.Button($"Switch off… {FlagNames.AlertsAutoTicket}")).ToBeEnabledAsync();
    }

    private AutoTicketDbContext Open() => provider.Console.Get<IDbContextFactory<AutoTicketDbContext>>().CreateDbContext();

    public sealed class SignedInAtProvider : IAsyncLifetime
    {
        private SandboxServer _sandbox = null!;

        internal OidcProvider Real { get; private set; } = null!;

        internal ConsoleHost Console { get; private set; } = null!;

        public async Task InitializeAsync()
        {
            Real = await OidcProvider.StartAsync();
            _sandbox = await SandboxServer.StartAsync();
            _sandbox.Surface("pay").Answer(503);
            var settings = Real.Settings();
            foreach (var (name, value) in ConsoleHost.SurfaceSettings(0, "pay", _sandbox.Surface("pay").Url, "P3"))
            {
                settings[name] = value;
            }

            settings["urls"] = ConsoleHost.OverTls;
            Console = await ConsoleHost.StartAsync(sandbox: _sandbox, settings: settings, environment: "Staging");
            await Eventually.TrueAsync(
                () => Console.Get<StatusBoard>().Find("pay") is { Status: SurfaceStatus.Down },
                "the surface is down"
            );
        }

        public async Task DisposeAsync()
        {
            await Console.DisposeAsync();
            await _sandbox.DisposeAsync();
            await Real.DisposeAsync();
        }
    }
}
