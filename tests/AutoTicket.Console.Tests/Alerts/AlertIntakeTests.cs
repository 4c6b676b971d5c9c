using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AutoTicket.Alerts;
using AutoTicket.Intake;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Alerts;

/// <summary>The intake from the HTTP request to the rows.</summary>
public sealed class AlertIntakeTests
{
    private const string Token = IntakeHost.Token;
    private const string Generic = "/api/alerts";
    private static readonly string[] Paths = [Generic, "/api/v2/alerts", "/api/alerts/alertmanager"];

    public static TheoryData<string> AllPaths => [.. Paths];

    [Theory, BothDatabases]
    [Trait("Pitfall", "T-39")]
    public async Task The_valid_alerts_of_a_batch_are_accepted_and_the_others_named_and_parked(Database kind)
    {
        await using var intake = await IntakeHost.StartAsync(kind);
        var batch = $$"""
            [{{Alert("one")}}, {"name":"two"}, {{Alert("three", status: "odd")}}, {"x":NaN}, {"name":"a","name":"b"}, 7,
             {"y":{{new string('[', 50)}}{{new string(']', 50)}}},
             {{Alert("eight", summary: @"half \ud83d of \u0000 a pair 😀")}}, {{Alert("nine", status: "resolved")}}]
            """;

        var (status, body) = await intake.PostAsync(Generic, batch);

        Assert.Equal(HttpStatusCode.Accepted, status);
        var results = body.GetProperty("results").EnumerateArray().ToList();
        Assert.Equal(Enumerable.Range(0, 9), results.Select(result => result.GetProperty("index").GetInt32()));
        Assert.Equal(["opened", "parked", "parked", "parked", "parked", "parked", "parked", "opened", "not_open"], results.Select(Word));
        Assert.All(
            results,
            result =>
                Assert.Equal(Word(result) == "parked", result.TryGetProperty("reason", out var reason) && reason.GetString()!.Length > 20)
        );
        Assert.Equal(results[0].GetProperty("alert_id").GetString()![..16], results[0].GetProperty("alert_key").GetString());

        await using var db = intake.Database.Open();
        var alerts = await db.Alerts.OrderBy(alert => alert.Name).ToListAsync();
        Assert.Equal(["eight", "one"], alerts.Select(alert => alert.Name));
        Assert.Equal("half \uFFFD of a pair 😀", alerts[0].Summary);
        Assert.Equal(results[0].GetProperty("alert_id").GetString(), alerts[1].AlertId);
        Assert.NotNull(alerts[1].ExpiresAt);
        Assert.Equal(6, await db.ParkedAlerts.CountAsync(parked => parked.Intake == "generic"));
    }

    [Fact]
    public async Task A_single_alert_is_opened_repeated_and_resolved()
    {
        await using var intake = await IntakeHost.StartAsync();

        Assert.Equal("opened", Word((await intake.PostAsync(Generic, Alert("n"))).Body.GetProperty("results")[0]));
        Assert.Equal("known", Word((await intake.PostAsync(Generic, Alert("n", severity: "P2"))).Body.GetProperty("results")[0]));
        Assert.Equal(
            "resolved",
            Word((await intake.PostAsync(Generic, """{"name":"n","status":"resolved"}""")).Body.GetProperty("results")[0])
        );
    }

    [Theory]
    [InlineData(null, "resolved")]
    [InlineData("source", "not_open")]
    [InlineData("surface", "not_open")]
    [InlineData("labels", "not_open")]
    [InlineData("alert_id", "not_open")]
    public async Task An_alert_ends_by_all_fields_that_identify_it(string? missing, string result)
    {
        await using var intake = await IntakeHost.StartAsync();
        var identity = new JsonObject
        {
            ["source"] = "cron",
            ["name"] = "n",
            ["surface"] = "shop",
            ["labels"] = new JsonObject { ["host"] = "db1" },
            ["alert_id"] = "7",
        };
        var firing = identity.DeepClone();
        (firing["severity"], firing["summary"], firing["status"]) = ("P2", "s", "firing");
        Assert.Equal("opened", Word((await intake.PostAsync(Generic, firing.ToJsonString())).Body.GetProperty("results")[0]));
        identity["status"] = "resolved";
        if (missing is not null)
        {
            identity.Remove(missing);
        }

        Assert.Equal(result, Word((await intake.PostAsync(Generic, identity.ToJsonString())).Body.GetProperty("results")[0]));
    }

    [Fact]
    [Trait("Pitfall", "T-7")]
    public async Task Producers_whose_ids_agree_in_sixteen_characters_have_two_alerts()
    {
        await using var intake = await IntakeHost.StartAsync();

        var (_, body) = await intake.PostAsync(
            Generic,
            $"[{Alert("n", more: "\"alert_id\":\"0123456789abcdef-1\"")},{Alert("n", more: "\"alert_id\":\"0123456789abcdef-2\"")}]"
        );

        Assert.Equal(
            2,
            body.GetProperty("results").EnumerateArray().Select(result => result.GetProperty("alert_key").GetString()).Distinct().Count()
        );
    }

    [Theory, MemberData(nameof(AllPaths))]
    public async Task Without_an_intake_token_no_alert_is_taken(string path)
    {
        await using var intake = await IntakeHost.StartAsync(
            settings: new() { ["ALERTS_INGEST_TOKEN"] = $"new-one, {Token}", ["CONSOLE_API_TOKENS"] = "console-token" }
        );

        foreach (
            var header in new[]
            {
                null,
                "Bearer",
                "Bearer ",
                "Bearer console-token",
                $"Bearer {Token}x",
                $"Bearer new-one, {Token}",
                $"Basic {Token}",
                "Bearer ,",
                Token,
            }
        )
        {
            var (status, body) = await intake.PostAsync(path, "[]", header);
            Assert.Equal((HttpStatusCode.Unauthorized, 401), (status, body.GetProperty("status").GetInt32()));
        }

        foreach (var token in new[] { "new-one", Token })
        {
            Assert.NotEqual(
                HttpStatusCode.Unauthorized,
                (await intake.PostAsync(path, Body(path, [Alert("n")]), $"Bearer {token}")).Status
            );
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" , ")]
    public async Task Without_its_token_setting_the_intake_is_closed_and_names_the_setting(string? setting)
    {
        await using var intake = await IntakeHost.StartAsync(settings: new() { ["ALERTS_INGEST_TOKEN"] = setting });

        foreach (var path in Paths)
        {
            var (status, body) = await intake.PostAsync(path, "[]", "Bearer ");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
            Assert.Contains("ALERTS_INGEST_TOKEN", body.GetProperty("title").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Invalid_JSON_is_refused_and_not_parked()
    {
        await using var intake = await IntakeHost.StartAsync();

        foreach (var path in Paths)
        {
            foreach (var body in new[] { "", "NaN", "[{", "\"x\"", "name=x", "[1,]", "]", "{\"alerts\":" })
            {
                Assert.Equal(HttpStatusCode.BadRequest, (await intake.PostAsync(path, body)).Status);
            }
        }

        await using var db = intake.Database.Open();
        Assert.Equal(0, await db.ParkedAlerts.CountAsync());
    }

    [Fact]
    public async Task If_no_alert_of_a_request_is_valid_the_answer_is_a_400_that_names_each()
    {
        await using var intake = await IntakeHost.StartAsync();

        foreach (var path in Paths)
        {
            var (status, body) = await intake.PostAsync(path, Body(path, ["{}", "{\"a\":NaN}"]));
            Assert.Equal(HttpStatusCode.BadRequest, status);
            Assert.Equal(["parked", "parked"], body.GetProperty("results").EnumerateArray().Select(Word));
            Assert.True(body.TryGetProperty("title", out _));
        }

        Assert.Equal(HttpStatusCode.BadRequest, (await intake.PostAsync(Generic, [.. "{\"name\":\""u8, 0xff, .. "\"}"u8])).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await intake.PostAsync(Generic, "[]")).Status);
        await using var db = intake.Database.Open();
        Assert.Equal(7, await db.ParkedAlerts.CountAsync());
    }

    [Fact]
    public async Task Each_size_limit_is_named_in_its_refusal()
    {
        await using var intake = await IntakeHost.StartAsync();

        foreach (var length in new[] { 4, 40 })
        {
            // A client that is cut off while it sends would see no response.
            Assert.Equal(
                HttpStatusCode.RequestEntityTooLarge,
                (await intake.PostAsync(Generic, Alert("n", summary: new string('x', length * 1024 * 1024)))).Status
            );
        }

        Assert.Equal(
            HttpStatusCode.RequestEntityTooLarge,
            (await intake.PostAsync(Generic, $"[{string.Join(',', Enumerable.Repeat("{}", 10_001))}]")).Status
        );
        var (status, body) = await intake.PostAsync(
            Generic,
            $"[{Alert("big", summary: new string('x', 300_000))},{Alert("long", summary: new string('y', 100_000))}]"
        );
        Assert.Equal(HttpStatusCode.Accepted, status);
        Assert.Equal(["parked", "opened"], body.GetProperty("results").EnumerateArray().Select(Word));

        await using var db = intake.Database.Open();
        var parked = await db.ParkedAlerts.SingleAsync();
        Assert.Equal((16_000, false), (parked.Text.Length, parked.IsWhole));
        Assert.Equal(100_000, (await db.Alerts.SingleAsync()).FullText!.Length);
    }

    [Fact]
    public async Task A_request_that_is_refused_as_a_whole_is_logged_once_a_minute_without_its_content()
    {
        var clock = new StillClock();
        await using var intake = await IntakeHost.StartAsync(clock: clock);
        foreach (var path in Paths)
        {
            await intake.PostAsync(path, "[secret");
            await intake.PostAsync(path, new string('x', 5 * 1024 * 1024));
        }

        clock.Advance(TimeSpan.FromMinutes(1));
        await intake.PostAsync(Generic, $"[{string.Join(',', Enumerable.Repeat("{}", 10_001))}]");

        Assert.Equal(
            [
                .. Paths.Select(path => $"requests=1 path={path} bytes=7 status=400: The request can't be read."),
                $"requests=2 path={Generic} bytes=30004 status=413: The request holds too many alerts.",
            ],
            intake
                .Console.Log.Where(line =>
                    line.StartsWith("WARNING", StringComparison.Ordinal) && line.Contains("alert_intake refused ", StringComparison.Ordinal)
                )
                .Select(line => line[line.IndexOf("requests=", StringComparison.Ordinal)..])
        );
        Assert.DoesNotContain(intake.Console.Log, line => line.Contains("secret", StringComparison.Ordinal));
    }

    [Fact]
    [Trait("Pitfall", "T-16")]
    public async Task Intake_settings_take_effect_or_are_refused()
    {
        await using var intake = await IntakeHost.StartAsync(
            settings: new()
            {
                ["Alerts:SeverityMap"] = "gold=P1,warning=P2",
                ["Alerts:DefaultSeverity"] = "P4",
                ["Alerts:VolatileLabels"] = "pod",
                ["Alerts:ExpireAfter"] = "00:10:00",
            }
        );

        var (_, body) = await intake.PostAsync(
            "/api/v2/alerts",
            """
            [{"labels":{"alertname":"A","severity":"gold","pod":"1"}},{"labels":{"alertname":"A","severity":"gold","pod":"2"}},
             {"labels":{"alertname":"B"}},{"labels":{"alertname":"C","severity":"critical"}},
             {"labels":{"alertname":"D","severity":"warning"}}]
            """
        );

        Assert.Equal(["opened", "known", "opened", "opened", "opened"], body.GetProperty("results").EnumerateArray().Select(Word));
        await using var db = intake.Database.Open();
        var alerts = await db.Alerts.OrderBy(alert => alert.Name).ToListAsync();
        Assert.Equal(["P1", "P4", "P1", "P2"], alerts.Select(alert => alert.Severity.ToString()));
        Assert.All(alerts, alert => Assert.InRange((alert.ExpiresAt - alert.SeenAt)!.Value.TotalSeconds, 595, 605));
        await Assert.ThrowsAnyAsync<Exception>(() => IntakeHost.StartAsync(settings: new() { ["Alerts:SeverityMap"] = "sev1" }));
    }

    [Fact]
    public async Task An_alertmanagers_group_is_accepted_with_its_resolved_alerts()
    {
        await using var intake = await IntakeHost.StartAsync();
        string Group(string status) =>
            $$"""
                {"version":"4","groupKey":"{}:{}","truncatedAlerts":0,"status":"{{status}}","receiver":"console","groupLabels":{},
                 "commonLabels":{"alertname":"A"},"commonAnnotations":{},"externalURL":"http://am:9093",
                 "alerts":[{"status":"{{status}}","labels":{"alertname":"A","severity":"critical","instance":"db1"},
                 "annotations":{"description":"d"},"startsAt":"2026-11-23T11:00:00Z","endsAt":"{{(
                    status == "firing" ? "0001-01-01T00:00:00Z" : "2026-11-23T11:30:00Z"
                )}}","generatorURL":"http://prom/graph","fingerprint":"f"}]}
                """;

        Assert.Equal("opened", Word((await intake.PostAsync("/api/alerts/alertmanager", Group("firing"))).Body.GetProperty("results")[0]));
        Assert.Equal(
            "resolved",
            Word((await intake.PostAsync("/api/alerts/alertmanager", Group("resolved"))).Body.GetProperty("results")[0])
        );
        Assert.Equal(HttpStatusCode.OK, (await intake.PostAsync("/api/alerts/alertmanager", """{"version":"4","alerts":[]}""")).Status);
        Assert.Equal(HttpStatusCode.OK, (await intake.PostAsync("/api/v2/alerts", "[]")).Status);
    }

    /// <summary>With <c>max_alerts</c>, Alertmanager drops alerts of a large group and only says how many.</summary>
    [Fact]
    public async Task Alerts_that_alertmanager_left_out_are_logged_once_a_minute()
    {
        await using var intake = await IntakeHost.StartAsync();
        foreach (var left in new[] { "0", "\"x\"", "7", "8" })
        {
            var body = $$"""{"version":"4","truncatedAlerts":{{left}},"alerts":[]}""";
            Assert.Equal(HttpStatusCode.OK, (await intake.PostAsync("/api/alerts/alertmanager", body)).Status);
        }

        var line = Assert.Single(intake.Console.Log, line => line.Contains("alert_intake truncated", StringComparison.Ordinal));
        Assert.StartsWith("WARNING", line, StringComparison.Ordinal);
        Assert.Contains("alerts=7", line, StringComparison.Ordinal);
        Assert.Contains("max_alerts: 0", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task While_the_database_is_unreachable_the_intake_accepts_nothing_and_afterwards_everything()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        await using var intake = await IntakeHost.StartAsync(
            database: database,
            settings: new() { ["DATABASE_URL"] = line.Through(database.Location) }
        );
        line.Cut();

        foreach (var body in new[] { Alert("n"), "{}", $"[{Alert("n")},1]" })
        {
            var answer = await intake.SendAsync(Generic, Encoding.UTF8.GetBytes(body), $"Bearer {Token}");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
            Assert.Equal(TimeSpan.FromSeconds(2), answer.Headers.RetryAfter?.Delta);
            Assert.DoesNotContain("results", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        line.Restore();
        await Eventually.TrueAsync(
            async () => (await intake.PostAsync(Generic, $"[{Alert("n")},1]")).Status == HttpStatusCode.Accepted,
            "the intake takes again"
        );
        await using var db = database.Open();
        Assert.Equal((1, 1), (await db.Alerts.CountAsync(), await db.ParkedAlerts.CountAsync()));
    }

    [Fact]
    public async Task No_log_line_contains_a_senders_token_or_line_breaks()
    {
        await using var intake = await IntakeHost.StartAsync();
        await intake.PostAsync(Generic, Alert("n", status: @"x\nERROR forged"));
        await intake.PostAsync(Generic, Alert("n"), $"Bearer {Token}-wrong");

        Assert.Contains(
            intake.Console.Log,
            line =>
                line.StartsWith("WARNING", StringComparison.Ordinal)
                && line.Contains("alert_intake parked count=1 intake=generic", StringComparison.Ordinal)
        );
        Assert.DoesNotContain(
            intake.Console.Log,
            line => line.Contains(Token, StringComparison.Ordinal) || line.Contains('\n', StringComparison.Ordinal)
        );
    }

    internal static string Alert(
        string name,
        string severity = "P3",
        string summary = "s",
        string status = "firing",
        string? more = null
    ) =>
        $$"""{"name":"{{name}}","severity":"{{severity}}","summary":"{{summary}}","status":"{{status}}"{{(
            more is null ? "" : "," + more
        )}}}""";

    private static string Body(string path, IEnumerable<string> alerts) =>
        path.EndsWith("alertmanager", StringComparison.Ordinal)
            ? $$"""{"version":"4","alerts":[{{string.Join(',', alerts)}}]}"""
            : $"[{string.Join(',', alerts)}]";

    private static string? Word(JsonElement result) => result.GetProperty("result").GetString();
}
