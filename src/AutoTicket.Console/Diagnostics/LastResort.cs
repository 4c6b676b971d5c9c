using System.Text.Json;
using AutoTicket.Data;
using Microsoft.Extensions.Options;

namespace AutoTicket.Diagnostics;

/// <summary>When alerts have reached nobody for a while, says so to <c>FALLBACK_WEBHOOK_URL</c>, once, and again when they do. It is
/// tried until it is taken.</summary>
internal sealed partial class LastResort(
    Silence silence, LeaderLease leader, IHttpClientFactory http, ConsoleAddress address, IOptions<DiagnosticsOptions> options, TimeProvider clock, ILogger<LastResort> logger) : BackgroundService
{
    public const string HttpName = "fallback";

    /// <summary>What is over within this is not worth waking somebody for.</summary>
    internal static readonly TimeSpan After = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryEvery = TimeSpan.FromSeconds(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (string.IsNullOrWhiteSpace(options.Value.FallbackWebhookUrl))
        {
            return;
        }

        using var pause = new Nudge(clock);
        var hasSaid = false;
        DateTimeOffset? failedAt = null;
        while (!stoppingToken.IsCancellationRequested)
        {
            var now = clock.GetUtcNow();
            // While the database is away nobody can be asked who leads.
            var isDue = hasSaid ? silence.Problem is null : silence.Since is { } since && now - since >= After && leader.WasLeader;
            if (isDue && !(now - failedAt < RetryEvery))
            {
                failedAt = await SayAsync(silence.Problem is { } problem ? $"{problem} {address.Url}/console/diagnostics" : "Alerts are being told again.", stoppingToken) ? null : now;
                hasSaid ^= failedAt is null;
            }

            await pause.WaitAsync(LookEvery, stoppingToken);
        }
    }

    private async Task<bool> SayAsync(string text, CancellationToken cancellationToken)
    {
        try
        {
            using var client = http.CreateClient(HttpName);
            using var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(new { text = $"AutoTicket Console: {text}" })) { Headers = { ContentType = new("application/json", "utf-8") } };
            using var request = new HttpRequestMessage(HttpMethod.Post, options.Value.FallbackWebhookUrl!.Trim()) { Content = content };
            using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (answer.IsSuccessStatusCode)
            {
                Log.Said(logger);
                return true;
            }

            Log.NotSaid(logger, $"it answered {(int)answer.StatusCode}");
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
        {
            Log.NotSaid(logger, exception is HttpRequestException { HttpRequestError: var error } ? $"{error}" : "no answer in time");
        }

        return false;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "told the fallback webhook whether alerts reach anybody")]
        public static partial void Said(ILogger logger);

        [LoggerMessage(LogLevel.Warning, "fallback webhook failed, trying again: {Problem}")]
        public static partial void NotSaid(ILogger logger, string problem);
    }
}
