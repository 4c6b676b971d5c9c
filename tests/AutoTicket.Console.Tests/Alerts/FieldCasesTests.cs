using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using AutoTicket.Alerts;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Alerts;

/// <summary>Requests of real senders, from the files under <c>Cases</c>. <c>@NOW-10m@</c> stands for a time.</summary>
public sealed partial class FieldCasesTests(FieldCasesTests.Shared shared) : IClassFixture<FieldCasesTests.Shared>
{
    private const string V2 = "/api/v2/alerts";
    private const string Webhook = "/api/alerts/alertmanager";

    /// <summary>One console for all cases, which name different alerts.</summary>
    public sealed class Shared : IAsyncLifetime
    {
        internal IntakeHost Intake { get; private set; } = null!;

        public async Task InitializeAsync() => Intake = await IntakeHost.StartAsync();

        public async Task DisposeAsync() => await Intake.DisposeAsync();
    }

    [Fact]
    public async Task Any_severity_word_is_accepted()
    {
        string[] severities = [.. "P2 P3 P1 P2 P4 P4 P4 P1 P2 P4 P1 P1 P1 P1 P3 P3 P1 P1 P2 P3 P1 P1".Split(' ')];
        // The positions of the words constant, 2 and unknown.
        int[] remarked = [3, 8, 18];

        var results = await SendAsync("v2/severity-words.json", V2);

        Assert.All(results, result => Assert.Equal("opened", Word(result)));
        Assert.Equal(severities, (await AlertsAsync(results)).Select(alert => alert!.Severity.ToString()));
        Assert.Equal(remarked, Enumerable.Range(0, results.Count).Where(n => results[n].TryGetProperty("remark", out _)));
        var remark = results[3].GetProperty("remark").GetString();
        Assert.Equal(
            "The severity “constant” is not known and counts as P2: send P1 to P4, or add the word to Alerts__SeverityMap.",
            remark
        );
        var alertId = results[3].GetProperty("alert_id").GetString()!;
        var shown = (await shared.Intake.Console.Get<AlertQueries>().FindAsync(alertId, default))!.Episode;
        Assert.Contains(shown.Decisions, decision => decision.Path == "intake" && decision.Detail == remark);
        Assert.False(AlertVerdict.IsBelowThreshold(shown));
    }

    [Theory]
    [InlineData("v2/amtool-no-alertname.json", V2, "db1: RAID degraded")]
    [InlineData("v2/falcosidekick-critical-no-alertname.json", V2, "Drop and execute new binary in container")]
    [InlineData("v2/falcosidekick-notice-information.json", V2, "Terminal shell in container")]
    [InlineData("v2/argocd-notifications.json", V2, "app-sync-failed")]
    [InlineData("v2/vmalert.json", V2, "TooManyLogs", "not_open")]
    [InlineData("v2/loki-ruler.json", V2, "HighPercentageError")]
    [InlineData("v2/numeric-and-odd-label-values.json", V2, "Odd")]
    [InlineData("alertmanager/webhook-basic.json", Webhook, "InstanceDown")]
    [InlineData("alertmanager/webhook-cjk-no-severity.json", Webhook, "ping主机")]
    [InlineData("alertmanager/webhook-firing-and-resolved.json", Webhook, "ContainerNotRunning", "not_open")]
    [InlineData("alertmanager/webhook-openshift.json", Webhook, "Watchdog", "KubeJobFailed")]
    [InlineData("alertmanager/webhook-severity-ticket.json", Webhook, "DiskWillFillIn4Days")]
    [InlineData("grafana/webhook-v1.json", Webhook, "High memory usage")]
    public async Task Requests_of_real_senders_are_accepted(string file, string path, params string[] named)
    {
        var results = await SendAsync(file, path);

        Assert.Equal(named, (await AlertsAsync(results)).Select(alert => alert?.Name ?? "not_open"));
        Assert.All(results, result => Assert.Contains(Word(result), new[] { "opened", "not_open" }));
    }

    [Fact]
    public async Task Grafanas_contact_point_sends_the_token_as_a_password()
    {
        foreach (
            var (login, status) in new[]
            {
                ($"grafana:{IntakeHost.Token}", 200),
                ($":{IntakeHost.Token}", 200),
                ("grafana:wrong", 401),
                ($"{IntakeHost.Token}:", 401),
                (IntakeHost.Token, 401),
            }
        )
        {
            var answer = await shared.Intake.PostAsync(V2, Read("grafana/contactpoint-alertmanager-v2.json"), Basic(login));
            Assert.Equal(status, (int)answer.Status);
        }

        await using var db = shared.Intake.Database.Open();
        Assert.Equal("ShopSlow", (await db.Alerts.SingleAsync(alert => alert.Name == "ShopSlow")).Name);
    }

    [Fact]
    public async Task An_alert_is_opened_without_its_start_if_that_is_no_time()
    {
        var results = await SendAsync("v2/timestamps.json", V2);

        Assert.All(results, result => Assert.Equal("opened", Word(result)));
        Assert.Equal([7, 8], Enumerable.Range(0, results.Count).Where(n => results[n].TryGetProperty("remark", out _)));
        Assert.All(
            [results[7], results[8]],
            result =>
                Assert.Contains(
                    "must be a time as 2026-12-24T22:00:00Z",
                    result.GetProperty("remark").GetString(),
                    StringComparison.Ordinal
                )
        );
    }

    [Fact]
    public void Every_case_file_is_used_by_a_test()
    {
        var sent = File.ReadAllText(Path.Combine(Folder, "..", "Alerts", "FieldCasesTests.cs"));

        Assert.All(
            new[] { "alertmanager", "grafana", "v2" }.SelectMany(folder => Directory.GetFiles(Path.Combine(Folder, folder))),
            file => Assert.Contains($"\"{Path.GetRelativePath(Folder, file)}\"", sent, StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData("POST", "/api/v1/alerts", 410)]
    [InlineData("POST", "/alertmanager/api/v1/alerts/", 410)]
    [InlineData("POST", "/alertmanager/api/v2/alerts", 404)]
    [InlineData("POST", "/api/alerts/api/v2/alerts", 404)]
    [InlineData("POST", "//api/v2/alerts", 404)]
    [InlineData("POST", "/api/alert", 404)]
    [InlineData("POST", "/webhook", 404)]
    [InlineData("POST", "/", 404)]
    [InlineData("GET", "/api/v2/alerts", 404)]
    [InlineData("GET", "/api/v2/status", 404)]
    public async Task A_valid_token_at_a_wrong_path_gets_the_right_path(string method, string path, int status)
    {
        var address = new Uri(shared.Intake.Console.Address.GetLeftPart(UriPartial.Authority) + path);
        foreach (var authorization in new[] { $"Bearer {IntakeHost.Token}", Basic($"x:{IntakeHost.Token}") })
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), address);
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
            using var answer = await shared.Intake.Console.Http.SendAsync(request);

            Assert.Equal(status, (int)answer.StatusCode);
            Assert.Contains("POST to /api/v2/alerts", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_wrong_token_at_a_wrong_path_gets_no_hint_and_the_intake_token_opens_no_other_path()
    {
        Assert.Equal(401, (int)(await shared.Intake.PostAsync("/api/v1/alerts", "[]", "Bearer wrong")).Status);
        Assert.Equal(401, (int)(await shared.Intake.PostAsync("/api/flood/reset", "{}")).Status);
    }

    private static string Folder => Path.Combine(ContentRoot.Find(), "tests", "AutoTicket.Console.Tests", "Cases");

    private static string Basic(string login) => $"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes(login))}";

    private static string Read(string file) =>
        Moment()
            .Replace(
                File.ReadAllText(Path.Combine(Folder, file)),
                match =>
                {
                    var minutes = match.Groups[1].Length == 0 ? 0 : int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
                    return TimeProvider
                        .System.GetUtcNow()
                        .AddMinutes(minutes)
                        .ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
                }
            );

    private async Task<List<JsonElement>> SendAsync(string file, string path)
    {
        var (status, body) = await shared.Intake.PostAsync(path, Read(file));
        Assert.Equal(HttpStatusCode.OK, status);
        return [.. body.GetProperty("results").EnumerateArray()];
    }

    /// <returns>Null for an alert that is not open.</returns>
    private async Task<List<Alert?>> AlertsAsync(List<JsonElement> results)
    {
        await using var db = shared.Intake.Database.Open();
        var alerts = await db.Alerts.ToListAsync();
        return results.ConvertAll(result => alerts.Find(alert => alert.AlertId == result.GetProperty("alert_id").GetString()));
    }

    private static string? Word(JsonElement result) => result.GetProperty("result").GetString();

    [GeneratedRegex(@"@NOW(?:([+-]\d+)m)?@")]
    private static partial Regex Moment();
}
