using System.Diagnostics.Metrics;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.Extensions.Options;

namespace AutoTicket.Slack;

/// <summary>Sends direct messages by Slack's Web API. A failure of Slack or the network is a return value, a WARNING and a state of
/// <see cref="SlackHealth"/>, never an exception. It never retries; the caller does.</summary>
internal sealed partial class SlackClient(
    IHttpClientFactory http,
    IOptions<SlackOptions> options,
    SlackHealth health,
    TimeProvider clock,
    ILogger<SlackClient> logger
)
{
    public const string HttpName = "slack";

    /// <summary>Upper bound of a response, in bytes.</summary>
    public const int LongestAnswer = 1024 * 1024;

    private static readonly Counter<long> Messages = Telemetry.Meter.CreateCounter<long>(
        "autoticket.slack.messages",
        description: "Direct messages, by outcome: sent, or the kind of failure."
    );

    private readonly string _token = options.Value.BotToken?.Trim() ?? "";
    private volatile string? _channel;
    private bool _notConfiguredLogged;

    /// <summary>Sends one message to the operator, within two times <see cref="SlackOptions.CallTimeout"/>. It can't be cancelled, because
    /// then the caller would not know whether the message was sent, and would send it again.</summary>
    /// <param name="text">Escaped for Slack: see <see cref="SlackText"/>.</param>
    /// <returns>Null: sent.</returns>
    public async Task<SlackFailure?> SendAsync(string text)
    {
        var failure = await TrySendAsync(text);
        Messages.Add(
            1,
            new KeyValuePair<string, object?>(
                "outcome",
                failure is null ? "sent" : JsonNamingPolicy.SnakeCaseLower.ConvertName($"{failure.Kind}")
            )
        );
        return failure;
    }

    private async Task<SlackFailure?> TrySendAsync(string text)
    {
        if (NotConfigured() is { } missing)
        {
            return missing;
        }

        // Another call may forget the channel at any time.
        var channel = _channel;
        if (channel is null)
        {
            var (opened, failure) = await CallAsync("conversations.open", new { users = options.Value.OperatorUserId!.Trim() });
            if (failure is not null)
            {
                return failure with { MayHaveSent = false };
            }

            channel = opened.TryGetProperty("channel", out var found) ? found.Text("id") : null;
            if (channel is null)
            {
                return Fail(new(SlackFailureKind.BadAnswer, "Slack's response names no channel."), "conversations.open");
            }

            _channel = channel;
        }

        // Text from outside must not act as markup, fetch a link or mention a person.
        var (_, refused) = await CallAsync(
            "chat.postMessage",
            new
            {
                channel,
                text,
                mrkdwn = false,
                link_names = false,
                unfurl_links = false,
                unfurl_media = false,
            }
        );
        if (refused is null)
        {
            health.Sent();
        }
        else if (refused.NeedsPerson)
        {
            _channel = null;
        }

        return refused;
    }

    /// <summary>Logs once that Slack is not set up.</summary>
    /// <returns>Null: it is set up.</returns>
    public SlackFailure? NotConfigured()
    {
        if (options.Value.Missing().ToList() is not { Count: > 0 } missing)
        {
            return null;
        }

        var failure = SlackFailure.NotConfigured(missing);
        if (!Interlocked.Exchange(ref _notConfiguredLogged, true))
        {
            Log.Degraded(logger, failure.Kind, "none", failure.Message);
        }

        return failure;
    }

    private async Task<(JsonElement Body, SlackFailure? Failure)> CallAsync(string method, object arguments)
    {
        using var timeout = new CancellationTokenSource(options.Value.CallTimeout, clock);
        using var request = new HttpRequestMessage(HttpMethod.Post, options.Value.ApiUrl + method);
        using var content = new TrackedContent(JsonSerializer.SerializeToUtf8Bytes(arguments), sendUntil: null, clock);
        request.Content = content;
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _token);
        request.Headers.Accept.ParseAdd("application/json");
        try
        {
            using var client = http.CreateClient(HttpName);
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseContentRead, timeout.Token);
            var wait = response.Headers.RetryAfter is { } header ? header.Delta ?? header.Date - clock.GetUtcNow() : null;
            var read = await response.Content.ReadAsByteArrayAsync(timeout.Token);
            var failure = SlackAnswers.Read((int)response.StatusCode, read, wait, _token, out var body);
            return (body, failure is null ? null : Fail(failure, method));
        }
        catch (OperationCanceledException)
        {
            return (
                default,
                Fail(
                    new(
                        SlackFailureKind.TimedOut,
                        $"Slack did not answer within {options.Value.CallTimeout.TotalSeconds} s.",
                        MayHaveSent: content.WasSent
                    ),
                    method
                )
            );
        }
        catch (HttpRequestException exception) when (exception.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            return (
                default,
                Fail(
                    new(
                        SlackFailureKind.BadAnswer,
                        $"Slack's response is more than {LongestAnswer / 1024 / 1024} MB: that is not its API. Check SLACK_BASE_URL.",
                        MayHaveSent: true
                    ),
                    method
                )
            );
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return (
                default,
                Fail(
                    new(
                        SlackFailureKind.Unreachable,
                        $"Slack can't be reached ({Reason(exception)}). Check the network, and SLACK_BASE_URL.",
                        MayHaveSent: content.WasSent
                    ),
                    method
                )
            );
        }
    }

    private static string Reason(Exception exception) => CleanText.Cut(HiddenCharacter.Blank(exception.GetBaseException().Message), 120);

    private SlackFailure Fail(SlackFailure failure, string method)
    {
        health.Failed(failure);
        Log.Degraded(logger, failure.Kind, method, failure.Message);
        return failure;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "slack degraded cause={Cause} call={Call}: {Message}")]
        public static partial void Degraded(ILogger logger, SlackFailureKind cause, string call, string message);
    }
}
