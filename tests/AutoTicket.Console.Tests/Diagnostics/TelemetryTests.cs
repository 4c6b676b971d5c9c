using System.Text.Json;
using AutoTicket.Tests.Processes;

namespace AutoTicket.Tests.Diagnostics;

/// <summary>What a process sends to standard output, OTLP and <c>/metrics</c>, depending on its environment variables.</summary>
public sealed class TelemetryTests
{
    // The bytes of this id are the text below, which can be searched for in a protobuf body.
    private const string TraceId = "6162636465666768696a6b6c6d6e6f70";
    private const string TraceText = "abcdefghijklmnop";

    [Fact]
    public async Task Logs_are_JSON_and_are_sent_by_OTLP_with_trace_and_service_name()
    {
        await using var collector = await Collector.StartAsync();
        await using var consoles = await Consoles.CreateAsync("pay");
        await using var console = await ConsoleProcess.StartAsync(
            consoles.Settings(
                new Dictionary<string, string>
                {
                    ["Logging__Console__FormatterName"] = "json",
                    ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Url.AbsoluteUri,
                    ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
                    ["OTEL_SERVICE_NAME"] = "ops-console",
                    ["OTEL_BLRP_SCHEDULE_DELAY"] = "200",
                    ["OTEL_BSP_SCHEDULE_DELAY"] = "200",
                    ["OTEL_METRIC_EXPORT_INTERVAL"] = "500",
                }
            )
        );

        await Eventually.TrueAsync(
            async () =>
                (
                    await console.AskAsync(
                        HttpMethod.Post,
                        "/api/surfaces/pay/investigate",
                        null,
                        ("traceparent", $"00-{TraceId}-0102030405060708-01")
                    )
                ).Text.Contains("\"url\"", StringComparison.Ordinal),
            "a click is answered with a ticket"
        );

        await Eventually.TrueAsync(() => IsSentWithTheTrace("investigate surface=pay"), "the click's log line is sent with its trace");
        await Eventually.TrueAsync(() => IsSentWithTheTrace("INSERT INTO tickets"), "the click's statements are in its trace");
        Assert.All(collector.Received, sent => Assert.Contains("ops-console", sent, StringComparison.Ordinal));
        Assert.DoesNotContain("autoticket-console", collector.All, StringComparison.Ordinal);
        // A background loop renews the lease; its statements have no trace.
        Assert.DoesNotContain("INSERT INTO leases", collector.All, StringComparison.Ordinal);

        foreach (var line in console.Output.ToList())
        {
            using var json = JsonDocument.Parse(line);
            Assert.EndsWith("Z", json.RootElement.GetProperty("Timestamp").GetString(), StringComparison.Ordinal);
        }

        var metrics = (await console.GetAsync("/metrics")).Text;
        Assert.All(
            ["kestrel_", "db_client_", "resilience_polly_"],
            meter => Assert.Contains($"\n{meter}", metrics, StringComparison.Ordinal)
        );

        bool IsSentWithTheTrace(string text) =>
            collector.Received.Any(sent =>
                sent.Contains(text, StringComparison.Ordinal) && sent.Contains(TraceText, StringComparison.Ordinal)
            );
    }
}
