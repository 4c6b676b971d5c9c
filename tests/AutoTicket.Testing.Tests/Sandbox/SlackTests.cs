using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Sandbox;

public sealed class SlackTests : SandboxTest
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_message_is_delivered_whether_sent_as_json_or_as_a_form(bool json)
    {
        var channel = (await CallAsync("conversations.open", new() { ["users"] = Server.Slack.OperatorUserId }, json))["channel"]![
            "id"
        ]!.GetValue<string>();
        var posted = await CallAsync("chat.postMessage", new() { ["channel"] = channel, ["text"] = "Ticket #1001 & more" }, json);

        Assert.True(posted["ok"]!.GetValue<bool>());
        var message = Assert.Single(Server.Slack.Messages);
        Assert.Equal((channel, "Ticket #1001 & more", posted["ts"]!.GetValue<string>()), (message.Channel, message.Text, message.Ts));
        Assert.Equal(2, Server.Slack.RequestCount);
    }

    [Fact]
    public async Task Auth_test_names_the_bot() => Assert.Equal("console", (await CallAsync("auth.test", []))["user"]!.GetValue<string>());

    [Fact]
    public async Task A_refusal_is_a_200_that_says_why()
    {
        Assert.Equal("channel_not_found", await ErrorAsync("chat.postMessage", new() { ["channel"] = "C404", ["text"] = "x" }));
        Assert.Equal("no_text", await ErrorAsync("chat.postMessage", new() { ["channel"] = Server.Slack.OperatorUserId }));
        Assert.Equal("user_not_found", await ErrorAsync("conversations.open", new() { ["users"] = "U404" }));
        Server.Slack.BotToken = "another";
        Assert.Equal("invalid_auth", await ErrorAsync("auth.test", []));
    }

    [Theory]
    [InlineData("token_revoked")]
    [InlineData("is_archived")]
    public async Task A_fault_simulates_any_other_Slack_error(string error)
    {
        Server.Faults.Add(Fault.SlackError(error) with { Times = 1 });

        Assert.Equal(error, await ErrorAsync("chat.postMessage", new() { ["channel"] = Server.Slack.OperatorUserId, ["text"] = "x" }));
        Assert.Empty(Server.Slack.Messages);
    }

    [Fact]
    public async Task Too_many_messages_are_a_429_with_Retry_After()
    {
        Server.Faults.Add(new Fault(FaultKind.RateLimited) { Match = FaultMatch.Slack, RetryAfter = 30 });

        using var response = await SendAsync("auth.test", [], json: true);

        Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(30), response.Headers.RetryAfter!.Delta);
        Assert.Equal("ratelimited", (await response.Content.ReadFromJsonAsync<JsonObject>())!["error"]!.GetValue<string>());
    }

    private async Task<string> ErrorAsync(string method, Dictionary<string, string> arguments)
    {
        var answer = await CallAsync(method, arguments);
        Assert.False(answer["ok"]!.GetValue<bool>());
        return answer["error"]!.GetValue<string>();
    }

    private async Task<JsonObject> CallAsync(string method, Dictionary<string, string> arguments, bool json = true)
    {
        using var response = await SendAsync(method, arguments, json);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync<JsonObject>())!;
    }

    private async Task<HttpResponseMessage> SendAsync(string method, Dictionary<string, string> arguments, bool json)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Server.Slack.BaseUrl, method));
        request.Headers.Authorization = new("Bearer", "xoxb-sandbox-bot-token");
        request.Content = json ? JsonContent.Create(arguments) : new FormUrlEncodedContent(arguments);
        return await Http.SendAsync(request);
    }
}
