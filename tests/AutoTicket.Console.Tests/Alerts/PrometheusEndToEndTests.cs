using AutoTicket.Alerts;
using AutoTicket.Intake;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Processes;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Alerts;

/// <summary>Debian's Prometheus and Alertmanager, configured as an operator would.</summary>
public sealed class PrometheusEndToEndTests
{
    private const string Token = "canary-intake-e2e";

    [Fact]
    [Trait("Pitfall", "T-25")]
    public async Task Alerts_of_a_real_Prometheus_arrive_and_end_directly_and_through_Alertmanager()
    {
        await using var consoles = await Consoles.CreateAsync();
        var console = await consoles.StartAsync(new Dictionary<string, string> { ["ALERTS_INGEST_TOKEN"] = $"older, {Token}" });
        var (prometheusPort, alertmanagerPort) = (LoopbackPort.Next(), LoopbackPort.Next());
        await using var alertmanager = ToolProcess.Start(
            "/usr/bin/prometheus-alertmanager",
            new Dictionary<string, string> { ["alertmanager.yml"] = AlertmanagerConfiguration(console.Address) },
            "--config.file=alertmanager.yml",
            "--storage.path=data",
            "--cluster.listen-address=",
            $"--web.listen-address=127.0.0.1:{alertmanagerPort}"
        );
        await using var prometheus = ToolProcess.Start(
            "/usr/bin/prometheus",
            new Dictionary<string, string>
            {
                ["prometheus.yml"] = PrometheusConfiguration(console.Address, alertmanagerPort),
                ["rules.yml"] = Rules("> 0"),
            },
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--rules.alert.resend-delay=5s",
            $"--web.listen-address=127.0.0.1:{prometheusPort}"
        );

        await EventuallyAsync("all are open", alerts => alerts.Count(alert => alert.IsFiring) == 4);
        var open = await AlertsAsync(consoles);
        foreach (var source in new[] { "prometheus", "alertmanager" })
        {
            var critical = Assert.Single(open, alert => alert.Source == source && alert.Name == "DiskFull");
            Assert.Equal(
                (Severity.P1, "shop", "Disk of db1 is full <b>now</b>", AlertStatus.Firing),
                (critical.Severity, critical.Surface, critical.Summary, critical.Status)
            );
            Assert.Equal("severity=critical", Assert.Single(critical.Members).Key);
            Assert.StartsWith("http://", critical.Url, StringComparison.Ordinal);
            Assert.Equal(Severity.P3, Assert.Single(open, alert => alert.Source == source && alert.Name == "Slow").Severity);
        }

        // Prometheus sends the expiry: four times the resend delay. After a reload it knows no receiver for up to five seconds, so a
        // shorter time would let the alerts expire.
        Assert.All(
            open.Where(alert => alert.Source == "prometheus"),
            alert => Assert.InRange(alert.ExpiresAt!.Value - alert.SeenAt, TimeSpan.Zero, TimeSpan.FromMinutes(5))
        );
        // Alertmanager sends the end itself, so these alerts expire only if it is lost.
        Assert.All(
            open.Where(alert => alert.Source == "alertmanager"),
            alert => Assert.InRange(alert.ExpiresAt!.Value - alert.SeenAt, TimeSpan.FromDays(6.9), TimeSpan.FromDays(7.1))
        );

        prometheus.Reload("rules.yml", Rules("< 0"));

        await EventuallyAsync(
            "all are resolved",
            alerts => alerts.Count == 4 && alerts.TrueForAll(alert => alert.Status == AlertStatus.Resolved)
        );
        await using var db = consoles.Database.Open();
        Assert.Equal(0, await db.ParkedAlerts.CountAsync());

        async Task EventuallyAsync(string what, Predicate<List<Alert>> condition)
        {
            try
            {
                await Eventually.TrueAsync(async () => condition(await AlertsAsync(consoles)), what, 2 * Eventually.Patience);
            }
            catch (TimeoutException late)
            {
                throw new TimeoutException($"{late.Message}\n{prometheus.Output}\n{alertmanager.Output}\n{console.Output}", late);
            }
        }
    }

    private static async Task<List<Alert>> AlertsAsync(Consoles consoles)
    {
        await using var db = consoles.Database.Open();
        return await db.Alerts.AsNoTracking().ToListAsync();
    }

    private static string PrometheusConfiguration(Uri console, int alertmanagerPort) =>
        $$"""
            global:
              evaluation_interval: 1s
            rule_files: [rules.yml]
            alerting:
              alertmanagers:
                - authorization: { credentials: {{Token}} }
                  static_configs: [{ targets: ["{{console.Authority}}"] }]
                - static_configs: [{ targets: ["127.0.0.1:{{alertmanagerPort}}"] }]
            """;

    private static string AlertmanagerConfiguration(Uri console) =>
        $$"""
            route:
              receiver: console
              group_by: ["..."]
              group_wait: 0s
              group_interval: 1s
            receivers:
              - name: console
                webhook_configs:
                  - url: {{new Uri(console, "/api/alerts/alertmanager")}}
                    send_resolved: true
                    http_config: { authorization: { credentials: {{Token}} } }
            """;

    private static string Rules(string condition) =>
        $$$"""
            groups:
              - name: test
                rules:
                  - alert: DiskFull
                    expr: label_replace(vector(1), "instance", "db1", "", "") {{{condition}}}
                    labels: { severity: critical, surface: shop }
                    annotations: { summary: "Disk of {{ $labels.instance }} is full <b>now</b>", description: "long" }
                  - alert: Slow
                    expr: label_replace(vector(1), "instance", "db1", "", "") {{{condition}}}
                    labels: { priority: warning }
            """;
}
