using System.Diagnostics;
using AutoTicket.Alerts;
using AutoTicket.Security;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;
using OpenTelemetry;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace AutoTicket.Diagnostics;

/// <summary><c>/metrics</c> for Prometheus, and OTLP if <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is set.</summary>
internal static class Metrics
{
    private const string Requests = "Microsoft.AspNetCore.Hosting";
    private const string Database = "Npgsql";

    /// <summary>OpenTelemetry reserves memory for this many label sets an instrument; its default of 2,000 takes 16 MB for a hundred
    /// instruments. Requests keep the default, because each route and asset is a label. Surfaces need one each.</summary>
    private const int SmallCardinality = 200;

    public static void AddMetrics(this WebApplicationBuilder builder)
    {
        var telemetry = builder
            .Services.AddOpenTelemetry()
            .ConfigureResource(
                // The environment's attributes come last, so that they win.
                resource =>
                    resource.AddService("autoticket-console", serviceVersion: ProductVersion.Short).AddEnvironmentVariableDetector()
            );
        var surfaces = new Lazy<int>(() => builder.Configuration.GetSection("Surfaces").GetChildren().Count());
        telemetry.WithMetrics(metrics =>
            metrics
                .AddMeter(Telemetry.Name, Requests, "System.Runtime", "Microsoft.AspNetCore.Server.Kestrel", Database, "Polly")
                .AddView(instrument =>
                    instrument.Meter.Name == Requests
                        ? null
                        : new MetricStreamConfiguration
                        {
                            CardinalityLimit = instrument.Name.StartsWith(Gauges.SurfacePrefix, StringComparison.Ordinal)
                                ? surfaces.Value + 1
                                : SmallCardinality,
                        }
                )
                .AddPrometheusExporter()
        );
        if (builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"] is { Length: > 0 } endpoint)
        {
            if (!(Uri.TryCreate(endpoint, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"))
            {
                throw new ConfigurationException(
                    "OTEL_EXPORTER_OTLP_ENDPOINT must be an absolute http or https address, e.g. http://127.0.0.1:4317, "
                        + $"but is “{endpoint}”."
                );
            }

            // ASP.NET, HttpClient and Npgsql create the traces, without the values of queries.
            telemetry.WithTracing(traces =>
                traces
                    .AddSource(Telemetry.Name, "Microsoft.AspNetCore", "System.Net.Http", Database)
                    .AddProcessor(new LoneStatementRemover())
                    .AddProcessor(new PathRemover())
                    .AddOtlpExporter()
            );
            telemetry.WithMetrics(metrics => metrics.AddOtlpExporter());
            telemetry.WithLogging(logs => logs.AddOtlpExporter(), logs => logs.IncludeFormattedMessage = true);
        }
    }

    public static void MapMetrics(this WebApplication app)
    {
        app.Services.GetRequiredService<Gauges>();
        app.MapPrometheusScrapingEndpoint("/metrics")
            .OnlyRead()
            .RequireAuthorization(
                new AuthorizationPolicyBuilder()
                    .RequireAssertion(authorization => authorization.Resource is HttpContext context && MayScrape(context))
                    .Build()
            );
    }

    /// <summary>Drops statements of background loops, which would be several traces a second of one span each.</summary>
    private sealed class LoneStatementRemover : BaseProcessor<Activity>
    {
        public override void OnEnd(Activity data)
        {
            if (data.Source.Name == Database && data.ParentId is null)
            {
                data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
            }
        }
    }

    /// <summary>Cuts the addresses of outgoing calls after the port, because the path of a webhook is its secret.</summary>
    private sealed class PathRemover : BaseProcessor<Activity>
    {
        private const string Address = "url.full";

        public override void OnEnd(Activity data)
        {
            if (data.GetTagItem(Address) is string address)
            {
                data.SetTag(Address, Uri.TryCreate(address, UriKind.Absolute, out var url) ? url.GetLeftPart(UriPartial.Authority) : null);
            }
        }
    }

    /// <returns>Whether the request has the token, or comes from this machine.</returns>
    private static bool MayScrape(HttpContext context) =>
        RequestGuards.IsFromThisMachine(context)
        || RequestGuards.IsBearerOf(
            context.Request,
            RequestGuards.Tokens(
                context.RequestServices.GetRequiredService<IOptions<DiagnosticsOptions>>().Value.MetricsToken is { Length: > 0 } own
                    ? own
                    : context.RequestServices.GetRequiredService<IOptions<AlertsOptions>>().Value.IngestToken
            )
        );
}
