using System.Text.Json;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Diagnostics;

/// <summary>When alerts have reached nobody for a while, says so to <c>FALLBACK_WEBHOOK_URL</c>, once, and again when they do. It is tried
/// until it is taken. What was said is a row: a restart or another leader does not repeat it, and says when it is over.</summary>
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

    /// <summary>A row of <c>leases</c> which is there from the word that nobody is told to the word that somebody is.</summary>
    private const string Row = "fallback_webhook";

    /// <summary>What is over within this is not worth waking somebody for.</summary>
    internal static readonly TimeSpan After = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryEvery = TimeSpan.FromSeconds(30);

    private bool _hasSaid;
    private string? _problem;

    /// <summary>What the row says; null: this process does not know yet.</summary>
    private bool? _recorded;
    private DateTimeOffset? _learnedAt;
    private DateTimeOffset? _failedAt;

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        if (string.IsNullOrWhiteSpace(options.Value.FallbackWebhookUrl))
        {
            return Timeout.InfiniteTimeSpan;
        }

        await AgreeAsync();
        var now = Clock.GetUtcNow();
        if (IsDue(now) && !(now - _failedAt < RetryEvery))
        {
            var text = deliveryWatch.Problem is { } problem
                ? $"{problem} {address.Url}/console/diagnostics"
                : "Alerts are being told again.";
            _failedAt = await SayAsync(text) ? null : now;
            _hasSaid ^= _failedAt is null;
            await AgreeAsync();
        }

        return LookEvery;
    }

    // While the database is away nobody can be asked who leads. A process that just took over does not know yet whether alerts go out.
    private bool IsDue(DateTimeOffset now) =>
        leader.WasLeader
        && (
            _hasSaid
                ? deliveryWatch.Problem is null && !(now - _learnedAt < After)
                : deliveryWatch.Since is { } since && now - since >= After
        );

    /// <summary>Reads what was said before this process led, and records what it said itself; later, while the database is away.</summary>
    private async Task AgreeAsync()
    {
        if (!leader.WasLeader)
        {
            (_hasSaid, _recorded) = (false, null);
        }
        else if (_recorded != _hasSaid)
        {
            try
            {
                await using var db = await contexts.CreateDbContextAsync();
                if (_recorded is null && await db.Leases.AnyAsync(lease => lease.Name == Row))
                {
                    (_hasSaid, _learnedAt) = (true, Clock.GetUtcNow());
                }
                else
                {
                    var (owner, now) = (Environment.MachineName, Clock.GetUtcNow());
                    FormattableString said =
                        $"INSERT INTO leases (name, owner, until, fence) VALUES ({Row}, {owner}, {now}, 1) ON CONFLICT (name) DO NOTHING";
                    await db.ExecuteAsync(_hasSaid ? said : $"DELETE FROM leases WHERE name = {Row}", CancellationToken.None);
                }

                _recorded = _hasSaid;
            }
            catch (Exception exception) when (Outages.IsOutage(exception))
            {
                // The database gate says so; the next look tries again.
            }
        }
    }

    /// <summary>Not cancelled by the end of the process, so that what was said is recorded. The client limits its time.</summary>
    private async Task<bool> SayAsync(string text)
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
                Log.Said(logger);
                _problem = null;
                return true;
            }

            TellNotSaid($"it answered {(int)answer.StatusCode}");
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
        {
            TellNotSaid(exception is HttpRequestException { HttpRequestError: var error } ? $"{error}" : "no answer in time");
        }

        return false;
    }

    /// <summary>When it begins and when its cause changes, not at each try.</summary>
    private void TellNotSaid(string problem)
    {
        if (problem != _problem)
        {
            _problem = problem;
            Log.NotSaid(logger, problem);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "told the fallback webhook whether alerts reach anybody")]
        public static partial void Said(ILogger logger);

        [LoggerMessage(LogLevel.Warning, "fallback webhook failed, trying again: {Problem}")]
        public static partial void NotSaid(ILogger logger, string problem);
    }
}
