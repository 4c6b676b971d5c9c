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

/// <summary><c>/metrics</c> for Prometheus, and OTLP where <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> says that somebody collects it.</summary>
internal static class Metrics
{
    private const string Requests = "Microsoft.AspNetCore.Hosting";
    private const string Database = "Npgsql";

    /// <summary>Room for label sets of an instrument, which OpenTelemetry allocates at once. With its default of 2,000, a hundred
    /// instruments held 16 MB. Requests keep the default: each route and each asset is a label of theirs.</summary>
    private static readonly MetricStreamConfiguration Room = new() { CardinalityLimit = 200 };

    public static void AddMetrics(this WebApplicationBuilder builder)
    {
        var telemetry = builder
            .Services.AddOpenTelemetry()
            .ConfigureResource(
                // Last, so that OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
                resource => resource.AddService("autoticket-console").AddEnvironmentVariableDetector()
            );
        telemetry.WithMetrics(metrics =>
            metrics
                .AddMeter(Telemetry.Name, Requests, "System.Runtime", "Microsoft.AspNetCore.Server.Kestrel", Database, "Polly")
                .AddView(instrument => instrument.Meter.Name == Requests ? null : Room)
                .AddPrometheusExporter()
        );
        if (builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"] is { Length: > 0 } endpoint)
        {
            if (!(Uri.TryCreate(endpoint, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"))
            {
                throw new ConfigurationException(
                    "OTEL_EXPORTER_OTLP_ENDPOINT must be an absolute http or https address, as http://127.0.0.1:4317, "
                        + $"but is “{endpoint}”."
                );
            }

            // ASP.NET, HttpClient and Npgsql trace by themselves, with the values of queries left out.
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

    /// <summary>Drops the statements of the background loops, which would be several traces a second of one span each.</summary>
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

    /// <summary>Of the addresses that the console calls, only scheme, host and port leave: the path of a webhook is its secret.</summary>
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

    /// <summary>Who has the token for it, or sits on this machine.</summary>
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
