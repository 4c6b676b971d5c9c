using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using AutoTicket.Sandbox;
using AutoTicket.Tests.Kit;
using AutoTicket.Tests.Processes;

namespace AutoTicket.Tests.Diagnostics;

/// <summary>Planted keys and tokens appear in no page, response, log line, metric or trace, even if an error message quotes them.</summary>
public sealed partial class SecretScanTests
{
    private static readonly Dictionary<string, string> Planted = new()
    {
        ["FREESCOUT_API_KEY"] = "canary0key0f00d5e1f0900aa11bb22cc",
        ["SLACK_BOT_TOKEN"] = "xoxb-canary-5e1f0901",
        ["ALERTS_INGEST_TOKEN"] = "canary-intake-5e1f0902",
        ["CONSOLE_API_TOKENS"] = "canary-api-5e1f0903",
        ["FREESCOUT_WEBHOOK_SECRET"] = "canary-webhook-5e1f0904",
        ["METRICS_TOKEN"] = "canary-metrics-5e1f0905",
        ["OIDC_CLIENT_SECRET"] = "canary-client-5e1f0906",
        ["CONSOLE_OPERATOR_PASSWORD_HASH"] = Security.Login.Hash("canary-password-5e1f0907"),
        ["FALLBACK_WEBHOOK_URL"] = "http://127.0.0.1:1/canary-fallback-5e1f0908",
        ["CONSOLE_KEY_ENCRYPTION_KEY"] = Convert.ToBase64String("canary-key-of-the-keys-5e1f09090"u8),
    };

    [Fact]
    public void Every_variable_that_holds_a_secret_is_planted() =>
        Assert.Empty(MisspelledSettings.Variables.Where(name => Secret().IsMatch(name)).Except(Planted.Keys));

    [Fact]
    [Trait("Pitfall", "T-66")]
    public async Task No_planted_secret_leaves_the_console()
    {
        await using var collector = await Collector.StartAsync();
        await using var consoles = await Consoles.CreateAsync("pay");
        consoles.Sandbox.FreeScout.ApiKey = Planted["FREESCOUT_API_KEY"];
        consoles.Sandbox.Slack.BotToken = Planted["SLACK_BOT_TOKEN"];
        var console = await consoles.StartAsync(
            new Dictionary<string, string>(Consoles.Hasty.Concat(Planted))
            {
                // No provider listens there; only a sign-in would call it.
                ["OIDC_AUTHORITY"] = "http://127.0.0.1:1",
                ["OIDC_CLIENT_ID"] = "autoticket",
                ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
                ["Logging__LogLevel__AutoTicket"] = "Trace",
                ["Logging__LogLevel__System.Net.Http"] = "Trace",
                ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Url.AbsoluteUri,
                ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
                ["OTEL_BSP_SCHEDULE_DELAY"] = "200",
                ["OTEL_METRIC_EXPORT_INTERVAL"] = "500",
            }
        );
        var outputs = new StringBuilder();
        await LookAsync();
        await RaiseAsync("first");
        await Eventually.TrueAsync(
            () => consoles.Sandbox.FreeScout.Conversations.Count > 0 && consoles.Sandbox.Slack.Messages.Count > 0,
            "a ticket is filed and a DM sent"
        );

        // Errors that quote the request's secrets.
        foreach (
            var (status, body) in new[]
            {
                (401, "no"),
                (403, "no"),
                (400, Quoting("FREESCOUT_API_KEY")),
                (404, Quoting("FREESCOUT_API_KEY")),
                (500, Quoting("FREESCOUT_API_KEY")),
            }
        )
        {
            using var freeScout = consoles.Sandbox.Faults.Add(
                new(FaultKind.Status)
                {
                    Match = FaultMatch.FreeScout,
                    StatusCode = status,
                    Body = body,
                }
            );
            using var slack = consoles.Sandbox.Faults.Add(Fault.SlackError(Planted["SLACK_BOT_TOKEN"]));
            await RaiseAsync($"refused-{status}");
            await console.InvestigateAsync("pay");
            await console.AskAsync(HttpMethod.Post, "/api/alerts", new StringContent("{}"), ("Authorization", "Bearer wrong"));
            await LookAsync();
        }

        await Eventually.TrueAsync(
            () => collector.Holds("alert to ticket") && collector.Holds("file ticket") && collector.Holds("autoticket.ticket.filings"),
            "traces and metrics were collected"
        );
        outputs.Append(console.Output).Append(console.Errors).Append(collector.All);
        foreach (
            var (variable, secret) in Planted.Append(
                KeyValuePair.Create("DATABASE_URL", new Uri(consoles.Database.Location).UserInfo.Split(':')[1])
            )
        )
        {
            Assert.False(outputs.ToString().Contains(secret, StringComparison.OrdinalIgnoreCase), $"{variable} is in an output");
        }

        Assert.Contains("FREESCOUT_API_KEY", outputs.ToString(), StringComparison.Ordinal);
        // The path of a surface's URL may be a secret, so the collector must not get it.
        Assert.True(collector.Holds(consoles.Sandbox.Surface("pay").Url.Authority));
        Assert.False(collector.Holds(consoles.Sandbox.Surface("pay").Url.AbsoluteUri));

        Task RaiseAsync(string name) =>
            console.AskAsync(
                HttpMethod.Post,
                "/api/alerts",
                new StringContent($$"""{"name":"{{name}}","severity":"P1","summary":"a test","status":"firing"}"""),
                ("Authorization", $"Bearer {Planted["ALERTS_INGEST_TOKEN"]}")
            );

        async Task LookAsync()
        {
            foreach (
                var path in new[]
                {
                    "/api/diagnostics",
                    "/metrics",
                    "/healthz/ready",
                    "/console/diagnostics",
                    "/console/status",
                    "/console/alerts",
                    "/console/incidents",
                    "/api/incidents",
                    "/console/tickets",
                    "/console/flags",
                    "/console/audit",
                    "/api/status",
                    "/api/tickets",
                    "/api/alerts",
                    "/api/flags",
                    "/api/flood",
                    "/api/audit.csv",
                    "/openapi/v1.json",
                    "/login",
                    "/login/start",
                }
            )
            {
                var answer = await console.GetAsync(path);
                Assert.NotEqual(HttpStatusCode.InternalServerError, answer.Status);
                outputs.Append(answer.Text).Append(answer.Message.Headers);
            }
        }
    }

    [GeneratedRegex("(KEY|TOKENS?|SECRET|HASH|WEBHOOK_URL)$")]
    private static partial Regex Secret();

    private static string Quoting(string variable) =>
        $$$"""
            {"message":"The key {{{Planted[variable]}}} may not do this",
            "_embedded":{"errors":[{"path":"x","message":"{{{Planted[variable]}}}"}]}}
            """;
}
