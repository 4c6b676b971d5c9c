using System.Net;
using System.Text.RegularExpressions;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Sandbox;

public sealed class SandboxPagesTests : SandboxTest
{
    [Fact]
    public async Task A_ticket_can_be_found_resolved_reopened_and_deleted_by_plain_forms()
    {
        var id = await CreatedIdAsync();
        FreeScout.SetTags(id, "auto:status");
        Assert.Contains($"href=\"/freescout/conversation/{id}\"", await PageAsync("freescout/"), StringComparison.Ordinal);
        Assert.Contains("auto:status", await PageAsync($"freescout/conversation/{id}"), StringComparison.Ordinal);

        await PressAsync($"freescout/conversation/{id}/resolve");
        Assert.Equal("closed", FreeScout.Find(id)!.Status);
        await PressAsync($"freescout/conversation/{id}/reopen");
        Assert.True(FreeScout.Find(id)!.IsOpen);
        await PressAsync($"freescout/conversation/{id}/delete");
        Assert.Equal("deleted", FreeScout.Find(id)!.State);
    }

    [Fact]
    public async Task The_HTML_of_a_ticket_is_shown_and_never_executed()
    {
        const string Attack = "<script>alert(1)</script>\"onload=alert(1)";
        var body = Draft(Attack);
        body["threads"]![0]!["text"] = Attack;
        var id = await CreatedIdAsync(body);
        FreeScout.SetTags(id, Attack);

        foreach (var path in new[] { "freescout/", $"freescout/conversation/{id}" })
        {
            using var response = await Http.GetAsync(new Uri(Server.Url, path));
            var page = await response.Content.ReadAsStringAsync();
            Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("\"onload", page, StringComparison.OrdinalIgnoreCase);
            Assert.Contains("default-src 'none'", response.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        }

        Assert.Contains("<iframe sandbox ", await PageAsync($"freescout/conversation/{id}"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("down", 503)]
    [InlineData("healthy", 200)]
    public async Task The_index_page_switches_FreeScouts_faults(string mood, int status)
    {
        await PressAsync("sandbox/mood/" + mood);

        using var response = await Http.GetAsync(new Uri("mailboxes", UriKind.Relative));

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Contains("/sandbox/mood/slow", await PageAsync(""), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_index_page_says_which_fault_is_active_how_often_it_applied_and_what_to_watch_for()
    {
        Assert.Contains("No faults are active.", await PageAsync(""), StringComparison.Ordinal);
        Assert.Equal("Everything healthy", await PressedAsync());

        await PressAsync("sandbox/mood/down");
        Assert.Contains(">FreeScout returns 503 (0 calls so far)<", await PageAsync(""), StringComparison.Ordinal);
        Assert.Equal("FreeScout returns 503", await PressedAsync());
        using var call = await Http.GetAsync(new Uri("mailboxes", UriKind.Relative));
        Assert.Contains(">FreeScout returns 503 (1 call so far)<", await PageAsync(""), StringComparison.Ordinal);

        await PressAsync("sandbox/mood/mute");
        Assert.Equal("FreeScout files but never answers", await PressedAsync());
        await PressAsync("sandbox/mood/slow");
        Assert.Equal("FreeScout takes 5 s", await PressedAsync());
        await PressAsync("sandbox/mood/slack-down");
        Assert.Equal("Slack returns 503", await PressedAsync());
        var page = await PageAsync("");
        Assert.All(
            new[] { "healthy", "slow", "down", "mute", "slack-down" },
            mood => Assert.Matches($"aria-describedby=\"watch-{mood}\".*\n.*id=\"watch-{mood}\">[A-Z].{{40,}}", page)
        );

        Server.Faults.Clear();
        Server.Faults.Add(new Fault(FaultKind.Forbidden) { Match = new FaultMatch("PUT", "/freescout/api/conversations") });
        Assert.Contains(">PUT /freescout/api/conversations returns 403 (0 calls so far)<", await PageAsync(""), StringComparison.Ordinal);
        Assert.Equal("", await PressedAsync());

        async Task<string> PressedAsync() =>
            string.Join(
                ", ",
                Regex.Matches(await PageAsync(""), "aria-pressed=\"true\"[^>]*>([^<]*)<").Select(pressed => pressed.Groups[1].Value)
            );
    }

    [Theory]
    [InlineData("<p>One line.</p>", 8)]
    [InlineData("<p>1</p><p>2</p><p>3</p><p>4</p><ul><li>5</li><li>6</li></ul>6<br>7<br/>8", 22)]
    public async Task A_ticket_is_shown_whole(string text, int height)
    {
        var body = Draft("Pay is down");
        body["threads"]![0]!["text"] = text;
        var id = await CreatedIdAsync(body);

        Assert.Contains($"style=\"height: {height}rem\"", await PageAsync($"freescout/conversation/{id}"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pages_of_other_sites_cannot_use_the_sandbox()
    {
        var id = await CreatedIdAsync();
        using var form = new HttpRequestMessage(HttpMethod.Post, new Uri(Server.Url, $"freescout/conversation/{id}/delete"));
        form.Headers.Add("Sec-Fetch-Site", "cross-site");
        using var rebound = new HttpRequestMessage(HttpMethod.Get, new Uri(Server.Url, "sandbox/requests"));
        rebound.Headers.Host = "attacker.example";

        Assert.Equal(HttpStatusCode.Forbidden, (await Http.SendAsync(form)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await Http.SendAsync(rebound)).StatusCode);
        Assert.True(FreeScout.Find(id)!.IsOpen);
    }

    [Fact]
    public async Task An_unknown_page_is_a_404()
    {
        foreach (
            var path in new[]
            {
                "nonsense",
                "freescout/conversation/1",
                "freescout/conversation/x",
                "surfaces/nonsense",
                "sandbox/nonsense",
            }
        )
        {
            using var response = await Http.GetAsync(new Uri(Server.Url, path));
            Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        }
    }

    [Fact]
    public async Task Slack_messages_are_shown_as_text()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Server.Slack.BaseUrl, "chat.postMessage"));
        request.Headers.Authorization = new("Bearer", Server.Slack.BotToken);
        request.Content = new FormUrlEncodedContent([new("channel", Server.Slack.OperatorUserId), new("text", "<b>*P1*</b>")]);
        using var posted = await Http.SendAsync(request);

        Assert.Contains("&lt;b&gt;*P1*&lt;/b&gt;", await PageAsync("slack/"), StringComparison.Ordinal);
    }

    private async Task<string> PageAsync(string path)
    {
        using var response = await Http.GetAsync(new Uri(Server.Url, path));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadAsStringAsync();
    }

    private async Task PressAsync(string path)
    {
        using var response = await Http.PostAsync(new Uri(Server.Url, path), null);
        Assert.Equal(HttpStatusCode.SeeOther, response.StatusCode);
    }
}
