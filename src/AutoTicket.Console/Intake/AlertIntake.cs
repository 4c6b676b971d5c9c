using System.Buffers;
using System.Buffers.Text;
using System.Text.Json.Serialization;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Security;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace AutoTicket.Intake;

/// <summary>The endpoints that receive alerts. An alert that can't be read is parked and named in the response; the request's other alerts
/// are recorded. The response is sent after all alerts are stored.</summary>
internal static partial class AlertIntake
{
    private const string Parked = "parked";
    private const int LongestRequest = 4 * 1024 * 1024;

    /// <summary>How many bytes of a too long request are read, so that its sender gets a 413 instead of a broken connection.</summary>
    private const int MostRead = 128 * 1024 * 1024;

    /// <param name="AlertId">The id of its episode; null: it was parked.</param>
    /// <param name="Result"><c>opened</c>, <c>known</c>, <c>folded</c>, <c>resolved</c>, <c>not_open</c> or <c>parked</c>.</param>
    /// <param name="Reason">Why it was parked, and what to change.</param>
    /// <param name="Remark">What was changed to accept it.</param>
    internal sealed record AlertResult(
        int Index,
        string? AlertId,
        string? AlertKey,
        string Result,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Reason = null,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Remark = null
    );

    internal sealed record IntakeAnswer(IReadOnlyList<AlertResult> Results);

    public static void MapAlertIntake(this IEndpointRouteBuilder api)
    {
        Map(
            api,
            "/api/alerts",
            "SendAlerts",
            "Accepts one alert or an array of alerts, each with a result.",
            AlertFormat.Generic,
            202,
            body => AlertSplitter.Elements(body, mayBeOne: true),
            "an alert or an array of alerts"
        );
        Map(
            api,
            "/api/v2/alerts",
            "SendPrometheusAlerts",
            "Accepts alerts as Alertmanager's own API does, so that Prometheus can send straight to the console.",
            AlertFormat.Prometheus,
            200,
            body => AlertSplitter.Elements(body, mayBeOne: false),
            "an array of alerts"
        );
        Map(
            api,
            "/api/alerts/alertmanager",
            "SendAlertmanagerAlerts",
            "Accepts the webhooks of Alertmanager and Grafana.",
            AlertFormat.Alertmanager,
            200,
            body => AlertSplitter.Member(body, "alerts"u8) is { } alerts ? AlertSplitter.Elements(alerts, mayBeOne: false) : null,
            "an object with an array “alerts”"
        );
    }

    /// <summary>Answers a request with a valid token but a wrong path with the right paths. A 401 would make people suspect the
    /// token.</summary>
    public static void UseIntakePaths(this WebApplication app) =>
        app.Use(
            async (context, next) =>
            {
                var tokens = RequestGuards.Tokens(context.RequestServices.GetRequiredService<IOptions<AlertsOptions>>().Value.IngestToken);
                // No endpoint: the path or its method does not exist.
                if (context.GetEndpoint() is RouteEndpoint || !RequestGuards.IsBearerOf(context.Request, tokens, orPassword: true))
                {
                    await next(context);
                    return;
                }

                var isOld = context.Request.Path.Value?.TrimEnd('/').EndsWith("/api/v1/alerts", StringComparison.OrdinalIgnoreCase) == true;
                await Results
                    .Problem(
                        title: isOld ? "Version 1 of Alertmanager's API is not supported." : "No alerts are accepted at this address.",
                        detail: "POST to /api/v2/alerts from Prometheus, Grafana or amtool, to /api/alerts/alertmanager from a webhook of "
                            + "Alertmanager or Grafana, and to /api/alerts from any other sender. Add no prefix to the path.",
                        statusCode: isOld ? 410 : 404
                    )
                    .ExecuteAsync(context);
            }
        );

    private static void Map(
        IEndpointRouteBuilder api,
        string path,
        string name,
        string summary,
        AlertFormat format,
        int successStatus,
        Func<ReadOnlyMemory<byte>, List<ReadOnlyMemory<byte>>?> split,
        string expected
    ) =>
        api.MapPost(
                path,
                async (
                    HttpContext context,
                    AlertAggregator aggregator,
                    ParkedAlerts parked,
                    IOptions<AlertsOptions> options,
                    TimeProvider clock,
                    OncePerMinute often,
                    ILogger<ParkedAlerts> logger,
                    CancellationToken cancellationToken
                ) =>
                {
                    var (body, bytes) = await ReadAsync(context, cancellationToken);
                    if (bytes > LongestRequest)
                    {
                        return Refuse(413, "The request is too long.", $"Send at most {LongestRequest / 1024 / 1024} MB at a time.");
                    }

                    if (
                        format == AlertFormat.Alertmanager
                        && CountTruncated(body) is > 0 and var truncated
                        && often.Take("alert_intake truncated") is { } truncatedRequests
                    )
                    {
                        Log.Truncated(logger, truncatedRequests, truncated);
                    }

                    return split(body) switch
                    {
                        null => Refuse(400, "The request can't be read.", $"The body must be JSON: {expected}."),
                        { Count: > AlertSplitter.MostAlerts } => Refuse(
                            413,
                            "The request holds too many alerts.",
                            $"Send at most {AlertSplitter.MostAlerts} at a time."
                        ),
                        { Count: 0 } when format == AlertFormat.Generic => Refuse(400, "The request holds no alert.", "Send at least one."),
                        var alerts => await RecordAsync(
                            alerts,
                            format,
                            successStatus,
                            aggregator,
                            parked,
                            new IntakeContext(options.Value, clock.GetUtcNow()),
                            context.Response,
                            cancellationToken
                        ),
                    };

                    IResult Refuse(int status, string title, string detail)
                    {
                        if (often.Take($"alert_intake {path}") is { } requests)
                        {
                            Log.Refused(logger, requests, path, bytes, status, title);
                        }

                        return Results.Problem(title: title, detail: detail, statusCode: status);
                    }
                }
            )
            .AllowAnonymous()
            .WithMetadata(ApiDescription.AlertToken)
            .WithName(name)
            .WithSummary(summary)
            .RequireBearer("ALERTS_INGEST_TOKEN", services => services.GetRequiredService<IOptions<AlertsOptions>>().Value.IngestToken)
            .Produces<IntakeAnswer>(successStatus)
            .ProducesProblem(400)
            .ProducesProblem(401)
            .ProducesProblem(413)
            .ProducesProblem(503);

    /// <returns>How many alerts of the group Alertmanager left out of the request.</returns>
    private static long CountTruncated(ReadOnlyMemory<byte> body) =>
        AlertSplitter.Member(body, "truncatedAlerts"u8) is { } count && Utf8Parser.TryParse(count.Span, out long truncated, out _)
            ? truncated
            : 0;

    /// <returns>The body, and how many bytes were sent. Of more than <see cref="LongestRequest"/> the body is empty.</returns>
    private static async Task<(Memory<byte> Body, long Bytes)> ReadAsync(HttpContext context, CancellationToken cancellationToken)
    {
        context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = MostRead;
        // The buffer grows with the bytes received: a large Content-Length alone costs nothing.
        using var body = new MemoryStream();
        var sent = 0L;
        var buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
        try
        {
            for (int read; (read = await context.Request.Body.ReadAsync(buffer, cancellationToken)) > 0; )
            {
                sent += read;
                if (sent <= LongestRequest)
                {
                    body.Write(buffer, 0, read);
                }
            }

            if (sent > LongestRequest)
            {
                return (default, sent);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        var bytes = body.GetBuffer().AsMemory(0, (int)body.Length);
        if (bytes.Span.StartsWith("\uFEFF"u8))
        {
            bytes = bytes[3..];
        }

        CleanText.MendEscapes(bytes.Span);
        return (bytes, sent);
    }

    private static async Task<IResult> RecordAsync(
        List<ReadOnlyMemory<byte>> alerts,
        AlertFormat format,
        int successStatus,
        AlertAggregator aggregator,
        ParkedAlerts parked,
        IntakeContext context,
        HttpResponse response,
        CancellationToken cancellationToken
    )
    {
        var readings = alerts.ConvertAll(alert => format.Read(alert, context));
        var observations = readings.Select(reading => reading.Observation).OfType<Observation>().ToList();
        // Record the readable alerts first. If parking fails, the sender repeats the request: recorded alerts are known then, while
        // parked ones would count twice.
        if (
            await aggregator.ObserveAsync(observations, cancellationToken) is not { } observed
            || !await parked.AddAsync(
                [
                    .. readings
                        .Zip(alerts)
                        .Where(pair => pair.First.Error is not null)
                        .Select(pair => format.Park(pair.Second, pair.First.Error!, context.Now)),
                ],
                cancellationToken
            )
        )
        {
            response.Headers.RetryAfter = "2";
            return Results.Problem(
                title: "The alerts can't be recorded now.",
                detail: "Send the request again in a few seconds.",
                statusCode: 503
            );
        }

        var results = new List<AlertResult>(readings.Count);
        var next = 0;
        foreach (var reading in readings)
        {
            results.Add(
                reading.Error is { } error
                    ? new(results.Count, null, null, Parked, error)
                    : Recorded(results.Count, observed[next++], reading.Observation!.Remark)
            );
        }

        return observations.Count > 0 || alerts.Count == 0
            ? Results.Json(new IntakeAnswer(results), statusCode: successStatus)
            : Results.Problem(
                title: "No alert of the request can be read.",
                detail: $"{results[0].Reason} The alerts are parked in the console.",
                statusCode: 400,
                extensions: new Dictionary<string, object?> { ["results"] = results }
            );

        static AlertResult Recorded(int index, Observed observed, string? remark) =>
            new(index, observed.AlertId, AlertIdentity.KeyOf(observed.AlertId), Words.Of(observed.Result), Remark: remark);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "alert_intake refused requests={Requests} path={Path} bytes={Bytes} status={Status}: {Reason}")]
        public static partial void Refused(ILogger logger, int requests, string path, long bytes, int status, string reason);

        [LoggerMessage(
            LogLevel.Warning,
            "alert_intake truncated requests={Requests} alerts={Alerts}: Alertmanager left alerts out. Set max_alerts: 0 in its webhook"
        )]
        public static partial void Truncated(ILogger logger, int requests, long alerts);
    }
}
