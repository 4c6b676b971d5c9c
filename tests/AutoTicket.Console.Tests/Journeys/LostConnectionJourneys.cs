using System.Diagnostics;
using System.Globalization;
using AutoTicket.Sandbox;
using AutoTicket.Security;
using Microsoft.EntityFrameworkCore;
using Microsoft.Playwright;
using Xunit.Abstractions;

namespace AutoTicket.Tests.Journeys;

public sealed class LostConnectionJourneys(ITestOutputHelper output)
{
    [Fact, Trait("Pitfall", "T-48")]
    public async Task A_board_without_its_server_dims_shows_the_age_of_its_data_and_reconnects()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        var settings = Settings(sandbox, database);
        await using var console = await ConsoleProcess.StartAsync(settings);
        await using var board = await ConsolePage.OpenAsync(console.Address, "/console/status");
        await Assertions.Expect(board.Tile("Surface pay")).ToHaveAttributeAsync("data-status", "operational");

        await using var wall = await ConsolePage.OpenAsync(console.Address, "/console/status?view=wall");

        // A frozen server sends no packet, so the browser must detect the silence itself.
        console.Freeze();
        var noticed = await UntilDimmedAsync(board);
        await Assertions.Expect(board.Page.GetByRole(AriaRole.Alertdialog)).ToContainTextAsync("You see the state of");
        await UntilDimmedAsync(wall);
        Assert.InRange(
            await wall.Page.GetByRole(AriaRole.Main).EvaluateAsync<double>("main => Number(getComputedStyle(main).opacity)"),
            0.1,
            0.9
        );
        console.Thaw();
        await IsRepaintedAsync(board);

        await console.KillAsync();
        var killed = await UntilDimmedAsync(board);
        output.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"dimmed {noticed.TotalSeconds:0.0} s after the server fell silent, {killed.TotalSeconds:0.0} s after it was killed"
            )
        );
        Assert.InRange(noticed, TimeSpan.Zero, Eventually.OnABusyMachine(TimeSpan.FromSeconds(5)));
        Assert.InRange(killed, TimeSpan.Zero, Eventually.OnABusyMachine(TimeSpan.FromSeconds(5)));

        sandbox.Surface("pay").Answer(503);
        await using var restarted = await StartHostAsync(sandbox, database, settings);
        await IsRepaintedAsync(board);
        await Assertions.Expect(board.Tile("Surface pay")).ToHaveAttributeAsync("data-status", "down");
    }

    [Fact, Trait("Pitfall", "T-48")]
    public async Task A_board_shows_a_dropped_socket_and_repeats_no_action()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        sandbox.Surface("pay").Answer(503);
        await using var console = await StartHostAsync(sandbox, database, Settings(sandbox, database));
        await using var line = TcpProxy.To(console.Address.AbsoluteUri);
        await using var board = await ConsolePage.OpenAsync(new Uri(line.Through(console.Address.AbsoluteUri)), "/console/status");
        await Assertions.Expect(board.Tile("Surface pay")).ToHaveAttributeAsync("data-status", "down");
        await board.Investigate("Surface pay").ClickAsync();
        await Assertions.Expect(board.Outcome("Surface pay")).ToContainTextAsync("#");
        var page = await board.Page.EvaluateAsync<double>("performance.timeOrigin");

        line.Cut();
        await UntilDimmedAsync(board);
        sandbox.Surface("pay").Answer();
        line.Restore();

        // The browser reconnected to the same circuit without loading the page again.
        await IsRepaintedAsync(board);
        await Assertions.Expect(board.Tile("Surface pay")).ToHaveAttributeAsync("data-status", "operational");
        Assert.Equal(page, await board.Page.EvaluateAsync<double>("performance.timeOrigin"));
        Assert.Equal(1, sandbox.FreeScout.CreatedCount);
    }

    [Fact, Trait("Pitfall", "T-48")]
    public async Task A_board_whose_console_restarts_says_so_and_reloads_the_current_state()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        var settings = Settings(sandbox, database);
        await using var before = await ConsoleProcess.StartAsync(settings);
        await using var board = await ConsolePage.OpenAsync(before.Address, "/console/status");
        await Assertions.Expect(board.Tile("Surface pay")).ToHaveAttributeAsync("data-status", "operational");
        var page = await board.Page.EvaluateAsync<double>("performance.timeOrigin");

        Assert.Equal(0, await before.StopAsync());
        await UntilDimmedAsync(board);
        sandbox.Surface("pay").Answer(503);
        await using var after = await StartHostAsync(sandbox, database, settings);

        await IsRepaintedAsync(board);
        await Assertions.Expect(board.Tile("Surface pay")).ToHaveAttributeAsync("data-status", "down");
        // The restarted console doesn't know the old circuit, so the browser loads the page again.
        Assert.NotEqual(page, await board.Page.EvaluateAsync<double>("performance.timeOrigin"));
    }

    [Fact]
    public async Task A_half_written_reason_outlives_a_restart_until_its_form_is_closed()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        var settings = Settings(sandbox, database);
        await using var before = await ConsoleProcess.StartAsync(settings);
        await using var flags = await ConsolePage.OpenAsync(before.Address, "/console/flags");
        var page = await flags.Page.EvaluateAsync<double>("performance.timeOrigin");
        var open = flags.Button("Switch on…").First;
        var reason = flags.Page.GetByLabel("Reason (required)");
        await open.ClickAsync();
        await reason.PressSequentiallyAsync("the flood is ov");

        Assert.Equal(0, await before.StopAsync());
        await UntilDimmedAsync(flags);
        await using var after = await StartHostAsync(sandbox, database, settings);
        await IsRepaintedAsync(flags);
        Assert.NotEqual(page, await flags.Page.EvaluateAsync<double>("performance.timeOrigin"));

        await open.ClickAsync();
        await Assertions.Expect(reason).ToHaveValueAsync("the flood is ov");
        await reason.PressSequentiallyAsync("er");
        await Assertions.Expect(reason).ToHaveValueAsync("the flood is over");
        await flags.Button("Switch on now").ClickAsync();
        await Assertions.Expect(flags.Text("the flood is over").First).ToBeVisibleAsync();
        await Assertions.Expect(reason).ToHaveCountAsync(0);

        // Sent or canceled, it is not kept.
        await flags.Button("Switch off…").First.ClickAsync();
        await reason.PressSequentiallyAsync("never mind");
        await flags.Button("Cancel").ClickAsync();
        await flags.Button("Switch off…").First.ClickAsync();
        await Assertions.Expect(reason).ToBeFocusedAsync();
        await Assertions.Expect(reason).ToHaveValueAsync("");
        Assert.Equal(0, await flags.Page.EvaluateAsync<int>("() => sessionStorage.length"));
    }

    // A laptop slept longer than the session lasts. The browser can't tell a refused connection from a server that is down.
    [Fact]
    public async Task A_page_whose_session_ended_while_it_was_disconnected_leads_to_the_sign_in()
    {
        const string password = "correct horse battery";
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        var settings = Settings(sandbox, database);
        settings["CONSOLE_OPERATOR_PASSWORD_HASH"] = Login.Hash(password);
        settings["ASPNETCORE_URLS"] = ConsoleHost.OverTls;
        await using var console = await StartHostAsync(sandbox, database, settings, "Staging");
        await using var line = TcpProxy.To(console.Address.AbsoluteUri);
        await using var board = await ConsolePage.OpenSignedOutAsync(
            new Uri(line.Through(console.Address.AbsoluteUri)),
            "/console/status?view=wall"
        );
        await board.Page.GetByLabel("Operator password").FillAsync(password);
        await board.Button("Sign in").ClickAsync();
        await board.IsLiveAsync();

        line.Cut();
        await UntilDimmedAsync(board);
        await using var db = database.Open();
        await db.Sessions.ExecuteDeleteAsync();
        line.Restore();

        await Assertions.Expect(board.Heading).ToHaveTextAsync("Sign in");
        await board.Page.GetByLabel("Operator password").FillAsync(password);
        await board.Button("Sign in").ClickAsync();
        await board.IsLiveAsync();
        Assert.EndsWith("/console/status?view=wall", board.Page.Url, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_that_a_restart_removed_says_so_and_sends_no_click_while_disconnected()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        var settings = Settings(sandbox, database);
        var before = new Dictionary<string, string>(settings);
        foreach (var (name, value) in ConsoleHost.SurfaceSettings(1, "shop", sandbox.Surface("shop").Url))
        {
            before[name.Replace(":", "__", StringComparison.Ordinal)] = value!;
        }

        await using var console = await ConsoleProcess.StartAsync(before);
        await using var page = await ConsolePage.OpenAsync(console.Address, "/console/status/shop");

        Assert.Equal(0, await console.StopAsync());
        await UntilDimmedAsync(page);
        await page.Link("Alerts").First.ClickAsync();
        await Assertions.Expect(page.Text("Your click was not sent.")).ToBeVisibleAsync();
        Assert.EndsWith("/console/status/shop", page.Page.Url, StringComparison.Ordinal);

        await using var after = await StartHostAsync(sandbox, database, settings);
        await Assertions.Expect(page.Heading).ToHaveTextAsync("Page not found");
    }

    // As after a browser's translation, which replaces texts that Blazor then can't find.
    [Fact]
    public async Task A_page_that_fails_in_the_browser_says_that_it_is_lost_and_loads_itself_again()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        await using var console = await StartHostAsync(sandbox, database, Settings(sandbox, database));
        console.ExpectsErrors = true;
        await using var board = await ConsolePage.OpenAsync(console.Address, "/console/status");
        await Assertions.Expect(board.Tile("Surface pay")).ToHaveAttributeAsync("data-status", "operational");
        var page = await board.Page.EvaluateAsync<double>("performance.timeOrigin");

        await board.Page.EvaluateAsync("document.querySelectorAll('main *').forEach(node => node.remove())");
        sandbox.Surface("pay").Answer(503);

        await Assertions.Expect(board.Tile("Surface pay")).ToHaveAttributeAsync("data-status", "down");
        Assert.NotEqual(page, await board.Page.EvaluateAsync<double>("performance.timeOrigin"));
    }

    // The server keeps a limited number of disconnected pages, and renders the others anew.
    [Fact]
    public async Task A_half_written_reason_outlives_a_page_that_is_rendered_anew()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        var settings = Settings(sandbox, database);
        settings["Circuits__Retained"] = "1";
        await using var console = await StartHostAsync(sandbox, database, settings);
        await using var line = TcpProxy.To(console.Address.AbsoluteUri);
        var address = new Uri(line.Through(console.Address.AbsoluteUri));
        await using var one = await ConsolePage.OpenAsync(address, "/console/flags");
        await using var other = await ConsolePage.OpenAsync(address, "/console/flags");
        ConsolePage[] pages = [one, other];
        foreach (var page in pages)
        {
            await page.Button("Switch on…").First.ClickAsync();
            await Reason(page).PressSequentiallyAsync("the flood is ov");
        }

        line.Cut();
        await UntilDimmedAsync(one);
        await UntilDimmedAsync(other);
        line.Restore();

        foreach (var page in pages)
        {
            await IsRepaintedAsync(page);
            await Eventually.TrueAsync(
                async () =>
                {
                    if (await Reason(page).CountAsync() == 0)
                    {
                        await page.Button("Switch on…").First.ClickAsync();
                    }

                    return await Reason(page).InputValueAsync(new() { Timeout = 1000 }) == "the flood is ov";
                },
                "the reason is there"
            );
        }

        static ILocator Reason(ConsolePage page) => page.Page.GetByLabel("Reason (required)");
    }

    private static Task<ConsoleHost> StartHostAsync(
        SandboxServer sandbox,
        TestDatabase database,
        Dictionary<string, string> settings,
        string environment = "Development"
    ) => ConsoleHost.StartAsync(database, sandbox, ConsoleHost.SettingsOf(settings), environment: environment);

    private static Dictionary<string, string> Settings(SandboxServer sandbox, TestDatabase database)
    {
        var settings = sandbox
            .ConsoleSettings()
            .Concat(ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url))
            .ToDictionary(pair => pair.Key.Replace(":", "__", StringComparison.Ordinal), pair => pair.Value!);
        foreach (var (name, value) in database.Settings)
        {
            settings[name] = value;
        }

        settings["ASPNETCORE_ENVIRONMENT"] = "Development";
        settings["Sandbox__Enabled"] = "false";
        settings["Status__PollInterval"] = "00:00:01";
        settings["ASPNETCORE_URLS"] = $"http://127.0.0.1:{LoopbackPort.Next()}";
        return settings;
    }

    private static async Task<TimeSpan> UntilDimmedAsync(ConsolePage board)
    {
        var begun = Stopwatch.GetTimestamp();
        await Assertions.Expect(board.Page.Locator("html[data-circuit=lost]")).ToHaveCountAsync(1);
        await Assertions.Expect(board.Page.GetByRole(AriaRole.Alertdialog)).ToBeVisibleAsync();
        return Stopwatch.GetElapsedTime(begun);
    }

    private static async Task IsRepaintedAsync(ConsolePage board)
    {
        await Assertions.Expect(board.Page.Locator("html[data-circuit=lost]")).ToHaveCountAsync(0);
        await board.IsLiveAsync();
    }
}
