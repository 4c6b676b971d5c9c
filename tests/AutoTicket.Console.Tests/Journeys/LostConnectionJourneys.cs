using System.Diagnostics;
using System.Globalization;
using AutoTicket.Sandbox;
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

    private static Task<ConsoleHost> StartHostAsync(SandboxServer sandbox, TestDatabase database, Dictionary<string, string> settings) =>
        ConsoleHost.StartAsync(database, sandbox, ConsoleHost.SettingsOf(settings));

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
