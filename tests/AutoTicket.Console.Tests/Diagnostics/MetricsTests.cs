using System.Net;
using System.Text.RegularExpressions;
using AutoTicket.Tests.Kit;
using AutoTicket.Tests.Processes;
using AutoTicket.Tests.Surfaces;

namespace AutoTicket.Tests.Diagnostics;

/// <summary>A console exports every metric that the rules and the dashboard in <c>docs/ops</c> use.</summary>
public sealed partial class MetricsTests
{
    private const int Surfaces = 210;
    private const string Token = "canary-scrape-token";

    private static readonly string Ops = Path.Combine(ContentRoot.Find(), "docs", "ops");

    [Fact]
    public async Task A_running_console_exports_every_metric_of_the_rules_and_the_dashboard()
    {
        await using var consoles = await Consoles.CreateAsync("pay");
        var now = TimeProvider.System.GetUtcNow();
        await using var shop = await TlsSurface.StartAsync(now.AddDays(-1), now.AddDays(30));
        var trusted = Path.GetTempFileName();
        await File.WriteAllTextAsync(trusted, shop.Pem);
        var settings = new Dictionary<string, string>
        {
            ["ALERTS_INGEST_TOKEN"] = Token,
            ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
            ["SSL_CERT_FILE"] = trusted,
            ["Status__PollInterval"] = "00:00:15",
            // On a busy machine the first self-test may fail.
            ["Diagnostics__CanaryInterval"] = "00:00:10",
        };
        // More surfaces than other instruments have label sets.
        for (var n = 1; n <= Surfaces; n++)
        {
            (settings[$"Surfaces__{n}__Key"], settings[$"Surfaces__{n}__Url"]) = ($"s{n}", shop.Url.AbsoluteUri);
            settings[$"Surfaces__{n}__Group"] = "Shops";
        }

        var console = await consoles.StartAsync(settings);
        // Makes every counter count something.
        await console.AskAsync(
            HttpMethod.Post,
            "/api/alerts",
            new StringContent("""{"name":"backup_failed","severity":"P1","summary":"No backup","status":"firing"}"""),
            ("Authorization", $"Bearer {Token}")
        );
        await Eventually.TrueAsync(async () => (await console.InvestigateAsync("pay")).Ticket is not null, "a click files a ticket");
        await console.SetFlagAsync("FLAG_CONSOLE_ALERTS_AUTO_TICKET", enabled: false);
        var named = Named("alert-rules.yml").Union(Named("grafana-dashboard.json")).ToHashSet();
        Assert.InRange(named.Count, 15, 100);

        var (missing, lines) = (named.ToList(), Array.Empty<string>());
        try
        {
            await Eventually.TrueAsync(
                async () =>
                {
                    lines = (await console.GetAsync("/metrics")).Text.Split('\n');
                    missing = [.. named.Except(Exported(string.Join('\n', lines)))];
                    return missing.Count == 0 && lines.Any(IsCertificateOfS1);
                },
                "all are exported, also of one surface"
            );
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException($"{late.Message} Missing: {string.Join(", ", missing)}", late);
        }

        Assert.Contains(
            lines,
            line =>
                line.StartsWith("target_info{", StringComparison.Ordinal)
                && line.Contains($"service_version=\"{ProductVersion.Short}\"", StringComparison.Ordinal)
        );
        Assert.Equal(Surfaces + 1, lines.Count(line => line.StartsWith("autoticket_surface_maintenance{", StringComparison.Ordinal)));
        Assert.DoesNotContain(
            lines,
            line =>
                line.Contains("certificate_expiry", StringComparison.Ordinal) && line.Contains("surface=\"pay\"", StringComparison.Ordinal)
        );
        Assert.Contains(
            $"Valid until {shop.ValidUntil:yyyy-MM-dd}",
            (await console.GetAsync("/console/status/s1")).Text,
            StringComparison.Ordinal
        );
        Assert.DoesNotContain("Valid until", (await console.GetAsync("/console/status/pay")).Text, StringComparison.Ordinal);
        File.Delete(trusted);

        bool IsCertificateOfS1(string line) =>
            line.StartsWith("autoticket_surface_certificate_expiry_timestamp_seconds{", StringComparison.Ordinal)
            && line.Contains("surface=\"s1\"", StringComparison.Ordinal)
            && line.Contains("group=\"Shops\"", StringComparison.Ordinal)
            && line.Contains($"}} {shop.ValidUntil.ToUnixTimeSeconds()}", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_loopback_and_the_intake_token_may_read_the_metrics()
    {
        await using var console = await ConsoleHost.StartAsync(
            settings: new Dictionary<string, string?>
            {
                ["ALERTS_INGEST_TOKEN"] = $"older,{Token}",
                ["CONSOLE_API_TOKENS"] = "another-token",
            }
        );

        Assert.Equal(HttpStatusCode.OK, await GetAsync());
        Assert.Equal(HttpStatusCode.OK, await GetAsync(("X-Forwarded-For", "203.0.113.7"), ("Authorization", $"Bearer {Token}")));
        foreach (
            var proxied in new[]
            {
                ("X-Forwarded-For", "203.0.113.7"),
                ("X-Forwarded-Proto", "https"),
                ("Forwarded", "for=203.0.113.7"),
                ("Via", "1.1 proxy"),
            }
        )
        {
            Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(proxied, ("Authorization", "Bearer wrong")));
            Assert.Contains(await GetAsync(proxied), new[] { HttpStatusCode.Unauthorized, HttpStatusCode.Forbidden });
        }

        Assert.NotEqual(HttpStatusCode.OK, await GetAsync(("X-Forwarded-For", "203.0.113.7"), ("Authorization", "Bearer another-token")));

        async Task<HttpStatusCode> GetAsync(params (string Name, string Value)[] headers)
        {
            using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false })
            {
                BaseAddress = console.Address,
            };
            using var request = new HttpRequestMessage(HttpMethod.Get, "/metrics");
            foreach (var (name, value) in headers)
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }

            return (await http.SendAsync(request)).StatusCode;
        }
    }

    [Theory]
    [InlineData("check", "alert-rules.yml")]
    [InlineData("test", "alert-rules.test.yml")]
    public async Task Promtool_accepts_the_rules_and_their_tests(string verb, string file)
    {
        var files = new[] { "alert-rules.yml", "alert-rules.test.yml" }.ToDictionary(
            name => name,
            name => File.ReadAllText(Path.Combine(Ops, name))
        );
        await using var promtool = ToolProcess.Start("/usr/bin/promtool", files, verb, "rules", file);

        await Eventually.TrueAsync(
            () =>
                promtool.Output.ToString().Contains("SUCCESS", StringComparison.Ordinal)
                || promtool.Output.ToString().Contains("FAILED", StringComparison.Ordinal),
            "promtool has judged"
        );

        Assert.DoesNotContain("FAILED", promtool.Output.ToString(), StringComparison.Ordinal);
    }

    private static IEnumerable<string> Named(string file) =>
        MetricName().Matches(File.ReadAllText(Path.Combine(Ops, file))).Select(match => match.Value);

    private static IEnumerable<string> Exported(string metrics) =>
        metrics.Split('\n').Where(line => !line.StartsWith('#')).Select(line => line.Split('{', ' ')[0]);

    [GeneratedRegex(@"\bautoticket_\w+")]
    private static partial Regex MetricName();
}
