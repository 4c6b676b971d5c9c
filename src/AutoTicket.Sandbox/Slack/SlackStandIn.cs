using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.WebUtilities;

namespace AutoTicket.Sandbox;

/// <summary>A posted message; <see cref="Blocks"/> is raw JSON or null.</summary>
public sealed record SlackMessage(string Channel, string Text, string? Blocks, string Ts, DateTimeOffset At);

/// <summary>A simulated Slack workspace with one bot and one operator, and enough of the Web API to send a DM.</summary>
public sealed class SlackStandIn
{
    internal const string BasePath = "/slack";
    internal const string ApiPath = BasePath + "/api";
    private const string OperatorChannel = "D0SANDBOX1";
    private const string BotUserId = "U0CONSOLE1";

    private readonly ConcurrentQueue<SlackMessage> _messages = new();
    private readonly TimeProvider _clock;
    private readonly RequestLog _log;
    private int _lastTs;

    internal SlackStandIn(SandboxSettings settings, RequestLog log, Uri baseUrl) =>
        (_clock, _log, BaseUrl) = (settings.Clock, log, baseUrl);

    /// <summary>The base URL of the Web API, with a trailing slash.</summary>
    public Uri BaseUrl { get; }

    /// <summary>The only valid token.</summary>
    public string BotToken { get; set; } = "xoxb-sandbox-bot-token";

    public string OperatorUserId { get; } = "U0OPERATOR";

    /// <summary>The delivered messages, oldest first.</summary>
    public IReadOnlyList<SlackMessage> Messages => [.. _messages];

    /// <summary>All API requests, including rejected and faulty ones.</summary>
    public IReadOnlyList<RecordedRequest> RecordedRequests => _log.Under(ApiPath);

    public int RequestCount => RecordedRequests.Count;

    internal Answer Handle(RecordedRequest request)
    {
        var arguments = Arguments(request);
        var token =
            request.Header("Authorization") is { } header && header.StartsWith("Bearer ", StringComparison.Ordinal)
                ? header["Bearer ".Length..]
                : arguments.GetValueOrDefault("token");
        if (token != BotToken)
        {
            return Error(token is null ? "not_authed" : "invalid_auth");
        }

        return request.Path[ApiPath.Length..].Trim('/') switch
        {
            "auth.test" => Ok(
                new()
                {
                    ["url"] = "https://sandbox.slack.example/",
                    ["team"] = "Sandbox",
                    ["user"] = "console",
                    ["team_id"] = "T0SANDBOX1",
                    ["user_id"] = BotUserId,
                    ["bot_id"] = "B0CONSOLE1",
                }
            ),
            "conversations.open" => Open(arguments),
            "chat.postMessage" => Post(arguments),
            _ => Error("unknown_method"),
        };
    }

    private Answer Open(Dictionary<string, string> arguments) =>
        arguments.GetValueOrDefault("users") == OperatorUserId
            ? Ok(new() { ["channel"] = new JsonObject { ["id"] = OperatorChannel } })
            : Error("user_not_found");

    private Answer Post(Dictionary<string, string> arguments)
    {
        // A user id as the channel means the DM with that user.
        var channel = arguments.GetValueOrDefault("channel");
        if (channel != OperatorChannel && channel != OperatorUserId)
        {
            return Error("channel_not_found");
        }

        var (text, blocks) = (arguments.GetValueOrDefault("text") ?? "", arguments.GetValueOrDefault("blocks"));
        if (text.Length == 0 && blocks is null)
        {
            return Error("no_text");
        }

        var now = _clock.GetUtcNow();
        var message = new SlackMessage(
            OperatorChannel,
            text,
            blocks,
            $"{now.ToUnixTimeSeconds()}.{Interlocked.Increment(ref _lastTs):D6}",
            now
        );
        _messages.Enqueue(message);
        return Ok(
            new()
            {
                ["channel"] = OperatorChannel,
                ["ts"] = message.Ts,
                ["message"] = new JsonObject
                {
                    ["text"] = text,
                    ["user"] = BotUserId,
                    ["ts"] = message.Ts,
                },
            }
        );
    }

    // Slack accepts form data, JSON and, for some methods, the query.
    private static Dictionary<string, string> Arguments(RecordedRequest request)
    {
        if (request.Header("Content-Type")?.StartsWith("application/json", StringComparison.OrdinalIgnoreCase) == true)
        {
            return request
                .Json()
                .ToDictionary(
                    pair => pair.Key,
                    pair =>
                        pair.Value is JsonValue value && value.GetValueKind() == JsonValueKind.String
                            ? value.GetValue<string>()
                            : pair.Value?.ToJsonString() ?? ""
                );
        }

        var form = QueryHelpers.ParseQuery(request.Body);
        return request
            .QueryParameters.Concat(form)
            .GroupBy(pair => pair.Key)
            .ToDictionary(group => group.Key, group => group.Last().Value.ToString());
    }

    private static Answer Ok(JsonObject answer)
    {
        answer.Insert(0, "ok", true);
        return Answer.Json(200, answer);
    }

    // Slack returns errors with status 200.
    private static Answer Error(string error) => Answer.Json(200, new { ok = false, error });
}
