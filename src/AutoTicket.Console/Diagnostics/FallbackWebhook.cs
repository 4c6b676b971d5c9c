using System.Text.Json;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Diagnostics;

/// <summary>Calls <c>FALLBACK_WEBHOOK_URL</c> when alerts have reached nobody for a while, and again when they are sent again. It retries
/// until the webhook accepts. The call is a row, so that a restart or another leader does not repeat it, but reports the end.</summary>
internal sealed partial class FallbackWebhook(
    DeliveryWatch deliveryWatch,
    LeaderLease leader,
    IHttpClientFactory http,
    ConsoleAddress address,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<DiagnosticsOptions> options,
    TimeProvider clock,
    ILogger<FallbackWebhook> logger
) : Loop(clock, logger)
{
    public const string HttpName = "fallback";

    /// <summary>A row of <c>leases</c> that exists from the first call until the call that reports the end.</summary>
    private const string Row = "fallback_webhook";

    /// <summary>A shorter problem is not worth waking a person for.</summary>
    internal static readonly TimeSpan After = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryEvery = TimeSpan.FromSeconds(30);

    /// <summary>The webhook knows of the problem, and not yet of its end.</summary>
    private bool _hasReported;
    private string? _problem;

    /// <summary>Whether the row exists; null: unknown yet.</summary>
    private bool? _recorded;
    private long? _learnedAt;
    private long? _failedAt;

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        if (string.IsNullOrWhiteSpace(options.Value.FallbackWebhookUrl))
        {
            return Timeout.InfiniteTimeSpan;
        }

        await SyncAsync();
        if (IsDue() && (_failedAt is not { } failedAt || Clock.GetElapsedTime(failedAt) >= RetryEvery))
        {
            var text = deliveryWatch.Problem is { } problem
                ? $"{problem} {address.Url}/console/diagnostics"
                : "Alerts are being sent again.";
            _failedAt = await PostAsync(text) ? null : Clock.GetTimestamp();
            _hasReported ^= _failedAt is null;
            await SyncAsync();
        }

        return LookEvery;
    }

    // WasLeader, because without the database no process can be asked. A new leader does not know yet whether alerts are sent.
    private bool IsDue() =>
        leader.WasLeader
        && (
            _hasReported
                ? deliveryWatch.Problem is null && (_learnedAt is not { } learnedAt || Clock.GetElapsedTime(learnedAt) >= After)
                : deliveryWatch.Since is { } since && Clock.GetUtcNow() - since >= After
        );

    /// <summary>Reads what an earlier leader reported, and records what this one reported; without the database, later.</summary>
    private async Task SyncAsync()
    {
        if (!leader.WasLeader)
        {
            (_hasReported, _recorded) = (false, null);
        }
        else if (_recorded != _hasReported)
        {
            try
            {
                await using var db = await contexts.CreateDbContextAsync();
                if (_recorded is null && await db.Leases.AnyAsync(lease => lease.Name == Row))
                {
                    (_hasReported, _learnedAt) = (true, Clock.GetTimestamp());
                }
                else
                {
                    var (owner, now) = (Environment.MachineName, Clock.GetUtcNow());
                    FormattableString insert =
                        $"INSERT INTO leases (name, owner, until, fence) VALUES ({Row}, {owner}, {now}, 1) ON CONFLICT (name) DO NOTHING";
                    await db.ExecuteAsync(_hasReported ? insert : $"DELETE FROM leases WHERE name = {Row}", CancellationToken.None);
                }

                _recorded = _hasReported;
            }
            catch (Exception exception) when (Outages.IsOutage(exception))
            {
                // The database gate logs it; the next turn retries.
            }
        }
    }

    /// <summary>Not cancelled by the end of the process, so that the call is recorded. The client has a timeout.</summary>
    private async Task<bool> PostAsync(string text)
    {
        try
        {
            using var client = http.CreateClient(HttpName);
            using var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(new { text = $"AutoTicket Console: {text}" }))
            {
                Headers = { ContentType = new("application/json", "utf-8") },
            };
            using var request = new HttpRequestMessage(HttpMethod.Post, options.Value.FallbackWebhookUrl!.Trim()) { Content = content };
            using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            if (answer.IsSuccessStatusCode)
            {
                Log.Posted(logger);
                _problem = null;
                return true;
            }

            LogFailure($"it answered {(int)answer.StatusCode}");
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
        {
            LogFailure(exception is HttpRequestException { HttpRequestError: var error } ? $"{error}" : "no answer in time");
        }

        return false;
    }

    /// <summary>Logs a failure when it begins and when its cause changes.</summary>
    private void LogFailure(string problem)
    {
        if (problem != _problem)
        {
            _problem = problem;
            Log.NotPosted(logger, problem);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "fallback webhook called")]
        public static partial void Posted(ILogger logger);

        [LoggerMessage(LogLevel.Warning, "fallback webhook failed, trying again: {Problem}")]
        public static partial void NotPosted(ILogger logger, string problem);
    }
}
