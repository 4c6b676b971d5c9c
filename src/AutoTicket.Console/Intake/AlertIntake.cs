using System.Buffers;
using System.Text.Json.Serialization;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Security;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace AutoTicket.Intake;

/// <summary>Where alerts come in. One that can't be read is named, parked, and costs the others of its request nothing; and no
/// answer says that an alert was taken before it is durable.</summary>
internal static class AlertIntake
{
    private const string Parked = "parked";
    private const int LongestRequest = 4 * 1024 * 1024;
    private const int MostHeardOut = 128 * 1024 * 1024;

    /// <param name="AlertId">Of the episode that it belongs to; null: it was parked.</param>
    /// <param name="Result"><c>opened</c>, <c>known</c>, <c>folded</c>, <c>resolved</c>, <c>not_open</c> or <c>parked</c>.</param>
    /// <param name="Reason">What is wrong with it, and what to change.</param>
    /// <param name="Remark">What was taken otherwise than it was sent.</param>
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
            AlertFormat.Generic,
            202,
            body => AlertSplitter.Elements(body, mayBeOne: true),
            "an alert or an array of alerts"
        );
        Map(
            api,
            "/api/v2/alerts",
            AlertFormat.Prometheus,
            200,
            body => AlertSplitter.Elements(body, mayBeOne: false),
            "an array of alerts"
        );
        Map(
            api,
            "/api/alerts/alertmanager",
            AlertFormat.Alertmanager,
            200,
            body => AlertSplitter.Member(body, "alerts"u8) is { } alerts ? AlertSplitter.Elements(alerts, mayBeOne: false) : null,
            "an object with an array “alerts”"
        );
    }

    /// <summary>Who brings the right token to a wrong path is told the right one: 401 would set people looking for another token.</summary>
    public static void UseIntakePaths(this WebApplication app) =>
        app.Use(
            async (context, next) =>
            {
                // Where nothing, or nothing of this method, is routed.
                var tokens = RequestGuards.Tokens(context.RequestServices.GetRequiredService<IOptions<AlertsOptions>>().Value.IngestToken);
                if (context.GetEndpoint() is RouteEndpoint || !RequestGuards.IsBearerOf(context.Request, tokens, orPassword: true))
                {
                    await next(context);
                    return;
                }

                var isOld = context.Request.Path.Value?.TrimEnd('/').EndsWith("/api/v1/alerts", StringComparison.OrdinalIgnoreCase) == true;
                await Results
                    .Problem(
                        title: isOld ? "Version 1 of Alertmanager's API is gone." : "Nothing is taken here.",
                        detail: "POST to /api/v2/alerts from Prometheus, Grafana or amtool, "
                            + "to /api/alerts/alertmanager from an Alertmanager's or "
                            + "Grafana's webhook, to /api/alerts from anything else; each without a prefix.",
                        statusCode: isOld ? 410 : 404
                    )
                    .ExecuteAsync(context);
            }
        );

    private static void Map(
        IEndpointRouteBuilder api,
        string path,
        AlertFormat format,
        int taken,
        Func<ReadOnlyMemory<byte>, List<ReadOnlyMemory<byte>>?> split,
        string wanted
    ) =>
        api.MapPost(
                path,
                async (
                    HttpContext context,
                    AlertAggregator aggregator,
                    ParkedAlerts parked,
                    IOptions<AlertsOptions> options,
                    TimeProvider clock,
                    CancellationToken cancellationToken
                ) =>
                {
                    if (await ReadAsync(context, cancellationToken) is not { } body)
                    {
                        return Results.Problem(
                            title: "The request is too long.",
                            detail: $"Send at most {LongestRequest / 1024 / 1024} MB at a time.",
                            statusCode: 413
                        );
                    }

                    return split(body) switch
                    {
                        null => Results.Problem(
                            title: "The request can't be read.",
                            detail: $"The body must be JSON: {wanted}.",
                            statusCode: 400
                        ),
                        { Count: > AlertSplitter.MostAlerts } => Results.Problem(
                            title: "There are too many alerts in the request.",
                            detail: $"Send at most {AlertSplitter.MostAlerts} at a time.",
                            statusCode: 413
                        ),
                        { Count: 0 } when format == AlertFormat.Generic => Results.Problem(
                            title: "There is no alert in the request.",
                            detail: "Send one or more.",
                            statusCode: 400
                        ),
                        var alerts => await TakeAsync(
                            alerts,
                            format,
                            taken,
                            aggregator,
                            parked,
                            new IntakeRules(options.Value, clock.GetUtcNow()),
                            context.Response,
                            cancellationToken
                        ),
                    };
                }
            )
            .AllowAnonymous()
            .RequireBearer("ALERTS_INGEST_TOKEN", services => services.GetRequiredService<IOptions<AlertsOptions>>().Value.IngestToken)
            .Produces<IntakeAnswer>(taken)
            .ProducesProblem(400)
            .ProducesProblem(401)
            .ProducesProblem(413)
            .ProducesProblem(503);

    /// <returns>Null: it is too long.</returns>
    private static async Task<Memory<byte>?> ReadAsync(HttpContext context, CancellationToken cancellationToken)
    {
        // Read the rest of a body that is too large. A sender that is cut off sees a broken connection instead of the answer.
        context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = MostHeardOut;
        // No more is set aside than has come: a length that is only claimed costs nothing.
        using var body = new MemoryStream();
        var buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
        try
        {
            var isTooLong = false;
            for (int read; (read = await context.Request.Body.ReadAsync(buffer, cancellationToken)) > 0; )
            {
                if (!(isTooLong |= body.Length + read > LongestRequest))
                {
                    body.Write(buffer, 0, read);
                }
            }

            if (isTooLong)
            {
                return null;
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
        return bytes;
    }

    private static async Task<IResult> TakeAsync(
        List<ReadOnlyMemory<byte>> alerts,
        AlertFormat format,
        int taken,
        AlertAggregator aggregator,
        ParkedAlerts parked,
        IntakeRules rules,
        HttpResponse response,
        CancellationToken cancellationToken
    )
    {
        var readings = alerts.ConvertAll(alert => format.Read(alert, rules));
        var observations = readings.Select(reading => reading.Observation).OfType<Observation>().ToList();
        // First what was understood: a request that is sent again is known then, while one parked twice is there twice.
        if (
            await aggregator.ObserveAsync(observations, cancellationToken) is not { } observed
            || !await parked.AddAsync(
                [
                    .. readings
                        .Zip(alerts)
                        .Where(pair => pair.First.Mistake is not null)
                        .Select(pair => format.Park(pair.Second, pair.First.Mistake!, rules.Now)),
                ],
                cancellationToken
            )
        )
        {
            response.Headers.RetryAfter = "2";
            return Results.Problem(
                title: "The alerts can't be recorded just now.",
                detail: "Send the request again in a moment.",
                statusCode: 503
            );
        }

        var results = new List<AlertResult>(readings.Count);
        var next = 0;
        foreach (var reading in readings)
        {
            results.Add(
                reading.Mistake is { } mistake
                    ? new(results.Count, null, null, Parked, mistake)
                    : Taken(results.Count, observed[next++], reading.Observation!.Remark)
            );
        }

        return observations.Count > 0 || alerts.Count == 0
            ? Results.Json(new IntakeAnswer(results), statusCode: taken)
            : Results.Problem(
                title: "No alert of the request can be used.",
                detail: $"{results[0].Reason} They are parked in the console.",
                statusCode: 400,
                extensions: new Dictionary<string, object?> { ["results"] = results }
            );

        static AlertResult Taken(int index, Observed observed, string? remark) =>
            new(index, observed.AlertId, AlertIdentity.KeyOf(observed.AlertId), Words.Of(observed.Result), Remark: remark);
    }
}
