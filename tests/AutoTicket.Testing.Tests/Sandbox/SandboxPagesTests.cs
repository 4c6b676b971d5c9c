using System.Net;
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
