using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Sandbox;

public sealed class SandboxServerTests : SandboxTest
{
    [Fact]
    public async Task A_state_that_cannot_be_saved_stops_nothing()
    {
        var folder = Directory.CreateTempSubdirectory("sandbox-");
        var settings = new SandboxSettings { StatePath = Path.Combine(folder.FullName, "freescout.json") };
        // A folder of that name stands for a full disk.
        Directory.CreateDirectory(settings.StatePath);
        await using (var server = await SandboxServer.StartAsync(settings))
        {
            server.FreeScout.CreateByHand("Kept in memory");
        }

        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_fixed_port_that_is_taken_is_left_for_a_free_one()
    {
        await using var second = await SandboxServer.StartAsync(new SandboxSettings { Port = Server.Url.Port });

        Assert.NotEqual(Server.Url, second.Url);
        using var http = ClientFor(second);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(new Uri("mailboxes", UriKind.Relative))).StatusCode);
    }

    [Fact]
    public async Task Conversations_survive_a_restart()
    {
        var folder = Directory.CreateTempSubdirectory();
        var settings = new SandboxSettings { StatePath = Path.Combine(folder.FullName, "deeper", "freescout.json") };
        SandboxConversation before;
        await using (var first = await SandboxServer.StartAsync(settings))
        {
            var made = first.FreeScout.CreateByHand("Kept", ["auto:alert"]);
            first.FreeScout.Close(made.Id);
            before = first.FreeScout.Find(made.Id)!;
        }

        await using (var second = await SandboxServer.StartAsync(settings))
        {
            Assert.Equivalent(before, second.FreeScout.Find(before.Id), strict: true);
            Assert.Equal(before.Id + 1, second.FreeScout.CreateByHand("Next").Id);
            Assert.Single(second.FreeScout.Customers);
        }

        Assert.Equal(["freescout.json"], Directory.GetFiles(Path.Combine(folder.FullName, "deeper")).Select(Path.GetFileName));
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_filed_ticket_survives_a_sandbox_that_was_not_stopped()
    {
        var folder = Directory.CreateTempSubdirectory();
        var settings = new SandboxSettings { StatePath = Path.Combine(folder.FullName, "freescout.json") };
        await using (var killed = await SandboxServer.StartAsync(settings))
        {
            var id = killed.FreeScout.CreateByHand("Kept").Id;
            await EventuallyAsync(() =>
                File.Exists(settings.StatePath) && File.ReadAllText(settings.StatePath).Contains("Kept", StringComparison.Ordinal)
            );

            await using var next = await SandboxServer.StartAsync(settings);

            Assert.Equal("Kept", next.FreeScout.Find(id)!.Subject);
        }

        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task An_unreadable_state_file_is_renamed()
    {
        var folder = Directory.CreateTempSubdirectory();
        var path = Path.Combine(folder.FullName, "freescout.json");
        await File.WriteAllTextAsync(path, """{"conversations":{"1001":{""");

        await using (var server = await SandboxServer.StartAsync(new SandboxSettings { StatePath = path }))
        {
            Assert.Empty(server.FreeScout.Conversations);
        }

        Assert.StartsWith("{\"conv", await File.ReadAllTextAsync(path + ".broken"), StringComparison.Ordinal);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task The_consoles_settings_point_to_the_requested_parts_of_the_sandbox()
    {
        Assert.Empty(Server.ConsoleSettings(freeScout: false, slack: false, surfaces: false));

        var settings = Server.ConsoleSettings(freeScout: true, slack: true, surfaces: true);

        Assert.Equal(Server.Url + "freescout", settings["FREESCOUT_BASE_URL"]);
        Assert.Equal("3", settings["FREESCOUT_OPERATIONS_MAILBOX_ID"]);
        Assert.Equal(Server.Url + "slack/api/", settings["SLACK_BASE_URL"]);
        Assert.Equal(
            ["shop", "checkout", "search", "payments", "reports", "partner-feed"],
            Enumerable.Range(0, 6).Select(n => settings[$"Surfaces:{n}:Key"])
        );
        Assert.Equal(HttpStatusCode.OK, (await Http.GetAsync(new Uri(settings["Surfaces:0:Url"]!))).StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await Http.GetAsync(new Uri(settings["Surfaces:3:Url"]!))).StatusCode);
        Assert.Equal("https://partner-feed.invalid/", settings["Surfaces:5:Url"]);
    }

    [Fact]
    public async Task The_flapping_surface_fails_every_other_time()
    {
        var url = new Uri(Server.ConsoleSettings(surfaces: true)["Surfaces:2:Url"]!);
        var statuses = new List<int>();
        for (var i = 0; i < 4; i++)
        {
            using var response = await Http.GetAsync(url);
            statuses.Add((int)response.StatusCode);
        }

        Assert.Equal([502, 200, 502, 200], statuses);
    }

    [Fact]
    public async Task A_test_sets_the_response_of_its_own_surface()
    {
        var surface = Server.Surface("mine");
        Assert.Equal((200, "ok"), await AskAsync());

        surface.Answer(503, "down for a while");
        Assert.Equal((503, "down for a while"), await AskAsync());

        surface.Reset();
        await Assert.ThrowsAsync<HttpRequestException>(AskAsync);

        surface.Hang();
        using var patience = new CancellationTokenSource();
        var hanging = Http.GetAsync(surface.Url, patience.Token);
        await EventuallyAsync(() => surface.RequestCount == 4);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => hanging);
        Assert.Same(surface, Server.Surface("mine"));

        async Task<(int, string)> AskAsync()
        {
            using var response = await Http.GetAsync(surface.Url);
            return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task Faults_can_be_switched_and_requests_read_over_http()
    {
        using var put = await Http.PutAsync(
            Control("faults"),
            new StringContent(
                """
                {"kind":"statusAfter","match":{"method":"POST","path":"/freescout/api/conversations","whole":true},
                 "statusCode":504,"times":1,"delay":"00:00:02"}
                """
            )
        );
        Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);

        using var spoilt = await CreateAsync();
        Assert.Equal(HttpStatusCode.GatewayTimeout, spoilt.StatusCode);

        var requests = (await Http.GetFromJsonAsync<JsonArray>(Control("requests")))!;
        Assert.Equal("/freescout/api/conversations", Assert.Single(requests)!["path"]!.GetValue<string>());
        var conversations = (await Http.GetFromJsonAsync<JsonArray>(Control("conversations")))!;
        Assert.Equal("Checkout is down", Assert.Single(conversations)!["subject"]!.GetValue<string>());
        var faults = (await Http.GetFromJsonAsync<JsonArray>(Control("faults")))!;
        Assert.Equal(1, Assert.Single(faults)!["hits"]!.GetValue<int>());

        using var delete = await Http.DeleteAsync(Control("faults"));
        Assert.Empty(Server.Faults.Active);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("{}")]
    [InlineData("[null]")]
    [InlineData("null")]
    [InlineData("""{"kind":"nonsense"}""")]
    [InlineData("""{"kind":"delay","dealy":"00:00:02"}""")]
    public async Task An_invalid_fault_is_refused(string json)
    {
        using var response = await Http.PutAsync(Control("faults"), new StringContent(json));

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Empty(Server.Faults.Active);
    }

    private Uri Control(string name) => new(Server.Url, "sandbox/" + name);
}
