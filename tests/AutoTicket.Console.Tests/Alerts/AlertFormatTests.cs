using System.Text;
using AutoTicket.Alerts;
using AutoTicket.Intake;
using AutoTicket.Surfaces;

namespace AutoTicket.Tests.Alerts;

/// <summary>Parsing one alert: the observation it yields, or the reason why it is rejected.</summary>
public sealed class AlertFormatTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);
    private static readonly AlertsOptions Options = new() { VolatileLabels = "pod, replica" };
    private const string Full = """
        {"alert_id":"d-17","source":"backup","name":"backup_failed","surface":"shop","severity":"critical",
         "summary":"No backup since Monday","status":"firing",
         "labels":{"host":"db1","priority":"2","pod":"x-1","n":3,"none":null,"empty":""},
         "starts_at":"2026-11-23T11:00:00+01:00","url":"https://backup.example.org/17"}
        """;

    [Fact]
    public void All_fields_of_a_generic_alert_are_read()
    {
        var observation = Read(AlertFormat.Generic, Full);

        Assert.Equal(
            ("backup", "backup_failed", "shop", Severity.P1, "No backup since Monday", true, "d-17"),
            (
                observation.Source,
                observation.Name,
                observation.Surface,
                observation.Severity,
                observation.Summary,
                observation.IsFiring,
                observation.ProducerId
            )
        );
        Assert.Equal(["host=db1", "n=3"], observation.Labels.Select(label => $"{label.Key}={label.Value}").Order());
        Assert.Equal("pod=x-1,priority=2", observation.Variant);
        Assert.Equal("""{"host":"db1","n":"3","pod":"x-1","priority":"2"}""", observation.AllLabels);
        Assert.Equal("https://backup.example.org/17", observation.Url);
        Assert.Equal(Now.AddHours(-2), observation.StartsAt);
        Assert.Equal(Now.AddHours(24), observation.ExpiresAt);
    }

    [Theory]
    [InlineData("\"severity\":\"p3\"", Severity.P3)]
    [InlineData("\"severity\":\" High \"", Severity.P2)]
    [InlineData("\"severity\":\"DEBUG\"", Severity.P4)]
    [Trait("Pitfall", "T-16")]
    public void A_severity_is_P1_to_P4_or_a_word_of_the_map(string severity, Severity read) =>
        Assert.Equal(read, Read(AlertFormat.Generic, $$"""{"name":"n","summary":"s","status":"FIRING",{{severity}}}""").Severity);

    [Fact]
    public void Missing_fields_get_their_defaults()
    {
        var observation = Read(
            AlertFormat.Generic,
            """
            {"name":"n","summary":"s","status":"firing","severity":"P2","surface":null,"alert_id":"",
             "starts_at":"2026-11-23T13:00:00Z","url":"javascript:x","more":[1]}
            """
        );

        Assert.Equal(
            ("api", null, null, null, "", "{}"),
            (observation.Source, observation.Surface, observation.ProducerId, observation.Url, observation.Variant, observation.AllLabels)
        );
        // The alert claims to start in an hour, so the start is cut to now.
        Assert.Equal(Now, observation.StartsAt);
    }

    /// <summary>An alert of 256 kB can hold 15,000 names that are empty.</summary>
    [Fact]
    public void Remarks_are_few_however_many_labels_were_changed()
    {
        var labels = Enumerable.Range(1, 200).Select(n => $"\"{string.Concat(Enumerable.Repeat("\\u0001", n))}\":\"1\",");

        var observation = Read(AlertFormat.Generic, Full.Replace("\"host\"", $"{string.Concat(labels)}\"host\"", StringComparison.Ordinal));

        Assert.InRange(observation.Remark!.Length, 40, 1_000);
    }

    [Theory]
    [Trait("Pitfall", "T-27")]
    [InlineData("""{"name":"n","status":"resolved"}""")]
    [InlineData("""{"name":"n","status":"resolved","severity":"sev0","summary":""}""")]
    public void A_resolved_alert_is_accepted_with_any_severity(string json)
    {
        var observation = Read(AlertFormat.Generic, json);

        Assert.Equal((false, "n", null), (observation.IsFiring, observation.Summary, observation.ExpiresAt));
    }

    [Theory]
    [Trait("Pitfall", "T-39")]
    [InlineData("null", "must be a JSON object, but this is null")]
    [InlineData("[]", "but this is an array")]
    [InlineData("{}", "“name” is missing")]
    [InlineData("""{"name":"","summary":"s","severity":"P1","status":"firing"}""", "“name” is missing or empty")]
    [InlineData("""{"name":"\u0000 ","summary":"s","severity":"P1","status":"firing"}""", "“name” is missing or empty")]
    [InlineData("""{"name":true,"summary":"s","severity":"P1","status":"firing"}""", "“name” must be a string, but is true or false")]
    [InlineData("""{"name":"n","severity":"P1","status":"firing"}""", "“summary” is missing")]
    [InlineData("""{"name":"n","summary":"\n","severity":"P1","status":"firing"}""", "“summary” is missing")]
    [InlineData("""{"name":"n","summary":"s","status":"firing"}""", "“severity” is missing")]
    [InlineData("""{"name":"n","summary":"s","severity":"","status":"firing"}""", "“severity” is missing")]
    [InlineData("""{"name":"n","summary":"s","severity":[1],"status":"firing"}""", "“severity” must be a string")]
    [InlineData("""{"name":"n","summary":"s","severity":"P1"}""", "“status” is missing")]
    [InlineData("""{"name":"n","summary":"s","severity":"P1","status":"on"}""", "“status” must be firing or resolved, but is “on”")]
    [InlineData("""{"name":"n","summary":"s","severity":"P1","status":"firing","labels":[]}""", "“labels” must be an object")]
    [InlineData(
        """{"name":"n","summary":"s","severity":"P1","status":"firing","labels":{"a":{}}}""",
        "“a” in “labels” must be a string, but is an object"
    )]
    [InlineData("""{"name":"n","summary":"s","severity":"P1","status":"firing","labels":{"a":"1","a\u0001":"2"}}""", "“a” is twice")]
    [InlineData(
        """{"source":"console","name":"surface_outage","surface":"shop","summary":"s","severity":"P1","status":"resolved"}""",
        "“source” must not be “console”"
    )]
    [InlineData("""{"name":"n","name":"m","summary":"s","severity":"P1","status":"firing"}""", "uplicate")]
    [InlineData("""{"name":"n","summary":"s","severity":"P1","status":"firing","labels":{"a":"1","\u0061":"1"}}""", "uplicate")]
    [InlineData("""{"name":"n","summary":NaN}""", "It is not valid JSON")]
    [InlineData("""{"name":"n",}""", "It is not valid JSON")]
    [InlineData("""{"name":"n" /* why */}""", "It is not valid JSON")]
    [InlineData("{\"name\":\"a\nb\"}", "It is not valid JSON")]
    public void A_rejected_alert_gets_a_reason_that_says_what_to_change(string json, string reason) =>
        Assert.Contains(reason, ErrorOf(AlertFormat.Generic, json), StringComparison.Ordinal);

    [Fact]
    public void A_number_is_read_as_its_text()
    {
        var observation = Read(AlertFormat.Generic, """{"name":7,"summary":503,"severity":1,"status":"firing","alert_id":4711}""");

        Assert.Equal(
            ("7", "503", Severity.P2, "4711"),
            (observation.Name, observation.Summary, observation.Severity, observation.ProducerId)
        );
        Assert.StartsWith("The severity “1” is not known and counts as P2", observation.Remark, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        "\"2026-11-24 10:00:00\"",
        "“starts_at” must be a time as 2026-12-24T22:00:00Z, but is “2026-11-24 10:00:00”. It was left out."
    )]
    [InlineData("\"2026-02-30T00:00:00Z\"", "but is “2026-02-30T00:00:00Z”. It was left out.")]
    [InlineData("1763892000000", "but is “1763892000000”. It was left out.")]
    [InlineData("1.7e9", "but is “1.7e9”. It was left out.")]
    [InlineData("[]", "“starts_at” must be a string, but is an array. It was left out.")]
    public void A_start_that_cannot_be_read_is_left_out(string start, string remark)
    {
        var observation = Read(
            AlertFormat.Generic,
            $$"""{"name":"n","summary":"s","severity":"P1","status":"firing","starts_at":{{start}} }"""
        );
        var labeled = Read(AlertFormat.Prometheus, $$"""{"labels":{"alertname":"A","severity":"P1"},"startsAt":{{start}} }""");

        Assert.Null(observation.StartsAt);
        Assert.EndsWith(remark, observation.Remark, StringComparison.Ordinal);
        Assert.Null(labeled.StartsAt);
        Assert.EndsWith(remark.Replace("starts_at", "startsAt", StringComparison.Ordinal), labeled.Remark, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1763892000")]
    [InlineData("\"1763892000\"")]
    public void A_start_may_be_Unix_time(string start)
    {
        var observation = Read(
            AlertFormat.Generic,
            $$"""{"name":"n","summary":"s","severity":"P1","status":"firing","starts_at":{{start}} }"""
        );

        Assert.Equal((new DateTimeOffset(2025, 11, 23, 10, 0, 0, TimeSpan.Zero), null), (observation.StartsAt, observation.Remark));
    }

    [Theory]
    [InlineData("7", "“url” must be an http or https address, but is “7”. It was left out.")]
    [InlineData("\"/graph\"", "“url” must be an http or https address, but is “/graph”. It was left out.")]
    [InlineData("{}", "“url” must be a string, but is an object. It was left out.")]
    public void A_url_that_cannot_be_read_is_left_out(string url, string remark)
    {
        var observation = Read(AlertFormat.Generic, $$"""{"name":"n","summary":"s","severity":"P1","status":"firing","url":{{url}} }""");
        var labeled = Read(
            AlertFormat.Alertmanager,
            $$"""{"status":"firing","labels":{"severity":"P1","a":"b"},"generatorURL":{{url}} }"""
        );

        Assert.Equal((null, remark), (observation.Url, observation.Remark));
        Assert.Equal((null, remark.Replace("url”", "generatorURL”", StringComparison.Ordinal)), (labeled.Url, labeled.Remark));
    }

    [Theory]
    [InlineData("name", 200)]
    [InlineData("source", 60)]
    [InlineData("surface", 100)]
    [InlineData("alert_id", 200)]
    [InlineData("label", 200)]
    public void A_long_identity_field_is_cut_and_the_alert_stays_distinct(string field, int longest)
    {
        string Field(string value) => field == "label" ? $$$"""{"labels":{"{{{value}}}":"1"}}""" : $$"""{"{{field}}":"{{value}}"}""";
        Observation Sent(string value) =>
            Read(
                AlertFormat.Generic,
                $$"""{{{(field == "name" ? "" : "\"name\":\"n\",")}}"summary":"s","severity":"P1","status":"firing",{{Field(value)[1..]}}"""
            );
        var x = new string('x', longest);

        var (whole, one, other) = (Sent(x), Sent(x + "1"), Sent(x + "2"));

        Assert.Null(whole.Remark);
        Assert.Contains($"has {longest + 1} characters and was cut to {longest}.", one.Remark, StringComparison.Ordinal);
        Assert.All(
            [one.Name, one.Source, one.Surface ?? "", one.ProducerId ?? "", .. one.Labels.Keys],
            text => Assert.InRange(text.Length, 0, longest)
        );
        Assert.Equal(3, new[] { whole, one, other }.Select(observation => observation.AlertId).Distinct().Count());
        Assert.Equal(one.AlertId, Sent(x + "1").AlertId);
    }

    [Theory]
    [InlineData("\"severity\":\"gold\"", "gold")]
    [InlineData("\"severity\":\"1\"", "1")]
    [InlineData("\"severity\":\"P1,P2\"", "P1,P2")]
    public void An_unknown_severity_counts_as_P2(string severity, string shown)
    {
        var observation = Read(AlertFormat.Generic, $$"""{"name":"n","summary":"s","status":"firing",{{severity}}}""");

        Assert.Equal(Severity.P2, observation.Severity);
        Assert.Equal(
            $"The severity “{shown}” is not known and counts as P2: send P1 to P4, or add the word to Alerts__SeverityMap.",
            observation.Remark
        );
    }

    [Fact]
    public void Bad_encoding_deep_nesting_and_size_are_rejected_with_a_reason()
    {
        Assert.Contains(
            "not UTF-8",
            AlertFormat.Generic.Read((byte[])[.. "{\"name\":\""u8, 0xff, .. "\"}"u8], new(Options, Now)).Error,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "depth",
            ErrorOf(AlertFormat.Generic, "{\"x\":" + new string('[', 100_000) + new string(']', 100_000) + "}"),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "the limit is 256",
            ErrorOf(AlertFormat.Generic, "{\"summary\":\"" + new string('x', AlertFormat.LongestAlert) + "\"}"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Severity_and_volatile_labels_are_not_part_of_the_identity_of_a_prometheus_alert()
    {
        var critical = Read(AlertFormat.Prometheus, Prometheus("critical", "x-1"));
        var warning = Read(AlertFormat.Prometheus, Prometheus("warning", "x-2"));

        Assert.Equal((critical.LogicalId, critical.AlertId), (warning.LogicalId, warning.AlertId));
        Assert.Equal((Severity.P1, "pod=x-1,severity=critical"), (critical.Severity, critical.Variant));
        Assert.Equal((Severity.P3, "pod=x-2,severity=warning"), (warning.Severity, warning.Variant));
        Assert.Equal(
            ("prometheus", "DiskFull", "shop", "Disk of db1 is full", "http://prom:9090/graph?g0.expr=x", true),
            (critical.Source, critical.Name, critical.Surface, critical.Summary, critical.Url, critical.IsFiring)
        );
        Assert.Equal(["instance"], critical.Labels.Keys);
        Assert.Null(critical.ProducerId);
        Assert.Equal(Now.AddMinutes(4), critical.ExpiresAt);
        Assert.Equal(
            Now.AddHours(-1).AddMilliseconds(123),
            critical.StartsAt!.Value.AddTicks(-(critical.StartsAt.Value.Ticks % TimeSpan.TicksPerMillisecond))
        );
        Assert.Contains("\"alertname\":\"DiskFull\"", critical.AllLabels, StringComparison.Ordinal);
    }

    [Theory]
    [Trait("Pitfall", "T-25")]
    [InlineData("\"2026-11-23T12:00:00Z\"", false, null)]
    [InlineData("\"2026-11-23T11:59:00.123456789Z\"", false, null)]
    [InlineData("\"2026-11-23T12:00:01Z\"", true, 1)]
    [InlineData("\"0001-01-01T00:00:00Z\"", true, 24 * 3600)]
    [InlineData("null", true, 24 * 3600)]
    [InlineData("\"\"", true, 24 * 3600)]
    public void The_endsAt_of_prometheus_tells_whether_an_alert_fires_and_until_when(string ends, bool firing, int? expiresInSeconds)
    {
        var observation = Read(AlertFormat.Prometheus, $$"""{"labels":{"alertname":"A"},"endsAt":{{ends}} }""");

        Assert.Equal(firing, observation.IsFiring);
        Assert.Equal(expiresInSeconds, (observation.ExpiresAt - Now)?.TotalSeconds);
        Assert.Equal((Severity.P3, "A"), (observation.Severity, observation.Summary));
    }

    [Theory]
    [InlineData("""{"labels":{"alertname":"A","severity":"page","priority":"low"}}""", Severity.P1)]
    [InlineData("""{"labels":{"alertname":"A","priority":"P2"}}""", Severity.P2)]
    [InlineData("""{"labels":{"alertname":"A","severity":""}}""", Severity.P3)]
    [InlineData("""{"labels":{"alertname":"A","severity":" "}}""", Severity.P3)]
    [InlineData("""{"labels":{"alertname":"A","severity":"gold","priority":"P1"}}""", Severity.P1)]
    [InlineData("""{"labels":{"alertname":"A","severity":"gold","priority":"silver"}}""", Severity.P2)]
    public void The_severity_comes_from_the_label_severity_else_priority_else_the_default(string json, Severity severity) =>
        Assert.Equal(severity, Read(AlertFormat.Prometheus, json).Severity);

    [Theory]
    [InlineData("""{"summary":"s","description":"d"}""", "s")]
    [InlineData("""{"summary":" ","description":"d","message":"m"}""", "d")]
    [InlineData("""{"message":"m"}""", "m")]
    [InlineData("""{"other":"o"}""", "A")]
    [InlineData("""{"summary":"\u0007"}""", "A")]
    public void The_summary_comes_from_the_annotations_else_it_is_the_name(string annotations, string summary) =>
        Assert.Equal(summary, Read(AlertFormat.Prometheus, $$"""{"labels":{"alertname":"A"},"annotations":{{annotations}} }""").Summary);

    [Theory]
    [InlineData("""{"labels":{}}""", "“alertname” is missing")]
    [InlineData("""{"labels":{"a":"","b":null}}""", "“alertname” is missing, and so is every other label")]
    [InlineData("""{"annotations":{"summary":"s"}}""", "“alertname” is missing")]
    [InlineData("""{"labels":{"alertname":"A"},"endsAt":"soon"}""", "“endsAt” must be a time")]
    [InlineData("""{"labels":{"alertname":"A"},"endsAt":1795608000}""", "“endsAt” must be a time")]
    [InlineData("""{"labels":{"alertname":"A"},"endsAt":{}}""", "“endsAt” must be a string")]
    [InlineData("""{"labels":"A"}""", "“labels” must be an object")]
    public void A_rejected_prometheus_alert_gets_a_reason(string json, string reason) =>
        Assert.Contains(reason, ErrorOf(AlertFormat.Prometheus, json), StringComparison.Ordinal);

    /// <summary>Without an end, only the sender knows for how long it fires; a later start shows that it ended meanwhile.</summary>
    [Theory]
    [InlineData("firing", "0001-01-01T00:00:00Z", true, 7 * 24 * 3600)]
    [InlineData("firing", "2026-11-23T11:00:00Z", true, 7 * 24 * 3600)]
    [InlineData("firing", "2026-11-23T12:10:00Z", true, 600)]
    [InlineData("resolved", "2026-11-23T11:00:00Z", false, null)]
    public void The_status_of_alertmanager_tells_whether_an_alert_fires(string status, string ends, bool firing, int? expiresInSeconds)
    {
        var observation = Read(
            AlertFormat.Alertmanager,
            $$"""
            {"status":"{{status}}","labels":{"alertname":"A","severity":"high","job":"j"},"annotations":{"summary":"s"},
             "startsAt":"2026-11-23T11:00:00.1Z","endsAt":"{{ends}}","generatorURL":"","fingerprint":"abc"}
            """
        );

        Assert.Equal(
            ("alertmanager", "A", firing, Severity.P2, null, null),
            (observation.Source, observation.Name, observation.IsFiring, observation.Severity, observation.ProducerId, observation.Url)
        );
        Assert.Equal(expiresInSeconds, (observation.ExpiresAt - Now)?.TotalSeconds);
        Assert.Equal(expiresInSeconds != 600, observation.HasExactStart);
    }

    [Theory]
    [InlineData("""{"labels":{"node":"db1"},"annotations":{"summary":"RAID degraded"}}""", "RAID degraded")]
    [InlineData("""{"labels":{"node":"db1","rule":"raid"},"annotations":{"summary":"RAID degraded"}}""", "raid")]
    [InlineData("""{"labels":{"node":"db1","alertname":"\u0007"}}""", "unnamed")]
    [InlineData("""{"labels":{"severity":"critical"}}""", "unnamed")]
    public void An_alert_without_alertname_is_named_by_its_labels_or_its_summary(string json, string name) =>
        Assert.Equal(name, Read(AlertFormat.Prometheus, json).Name);

    [Fact]
    public void The_identity_of_an_alert_without_a_name_is_its_labels_and_not_its_text()
    {
        Observation Sent(string node, string text) =>
            Read(AlertFormat.Prometheus, $$$"""{"labels":{"node":"{{{node}}}"},"annotations":{"summary":"{{{text}}}"}}""");

        Assert.Equal(Sent("db1", "93 % full").AlertId, Sent("db1", "94 % full").AlertId);
        Assert.NotEqual(Sent("db1", "93 % full").AlertId, Sent("db2", "93 % full").AlertId);
        Assert.InRange(Sent("db1", new string('x', 5000)).Name.Length, 1, AlertFields.LongestName);
    }

    [Fact]
    public void The_earliest_and_latest_times_cause_no_exception()
    {
        foreach (var time in new[] { "9999-12-31T23:59:59.9999999-14:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z" })
        {
            var reading = AlertFormat.Prometheus.Read(
                Encoding.UTF8.GetBytes($$"""{"labels":{"alertname":"A"},"startsAt":"{{time}}","endsAt":"{{time}}" }"""),
                new(Options, Now)
            );
            Assert.True(reading.Observation is not null || reading.Error is not null);
        }
    }

    [Fact]
    public void A_time_without_an_offset_is_utc() =>
        Assert.Equal(
            Now.AddHours(-1),
            Read(
                AlertFormat.Generic,
                """{"name":"n","summary":"s","status":"firing","severity":"P2","starts_at":"2026-11-23T11:00:00"}"""
            ).StartsAt
        );

    [Fact]
    public void Long_volatile_labels_stay_distinct()
    {
        string Json(string end) =>
            """{"labels":{"alertname":"A","pod":"POD"}}""".Replace("POD", new string('x', 5000) + end, StringComparison.Ordinal);

        var (one, other) = (Read(AlertFormat.Prometheus, Json("1")), Read(AlertFormat.Prometheus, Json("2")));

        Assert.NotEqual(one.Variant, other.Variant);
        Assert.True(one.Variant.Length < 300);
    }

    [Theory]
    [InlineData(16_000, true)]
    [InlineData(16_001, false)]
    public void A_parked_alert_is_cut_to_a_length_and_records_whether_it_is_complete(int length, bool whole)
    {
        var parked = AlertFormat.Generic.Park(Encoding.UTF8.GetBytes(new string('x', length)), "why", Now);

        Assert.Equal((16_000, whole, "generic"), (parked.Text.Length, parked.IsWhole, parked.Intake));
    }

    [Fact]
    public void Any_parked_alert_can_be_stored()
    {
        var parked = AlertFormat.Generic.Park(
            (byte[])[(byte)'x', .. Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("😀", 100_000)))],
            "why",
            Now
        );
        Assert.Equal(15_999, parked.Text.Length);
        new UTF8Encoding(false, throwOnInvalidBytes: true).GetBytes(parked.Text);

        parked = AlertFormat.Generic.Park((byte[])[0, 0xff, (byte)'x'], "why", Now);
        Assert.Equal(("\uFFFD\uFFFDx", false), (parked.Text, parked.IsWhole));
    }

    private static string Prometheus(string severity, string pod) =>
        $$"""
            {"annotations":{"summary":"Disk of db1 is full","description":"long"},
             "endsAt":"2026-11-23T12:04:00.000Z","startsAt":"2026-11-23T11:00:00.123456789Z",
             "generatorURL":"http://prom:9090/graph?g0.expr=x",
             "labels":{"alertname":"DiskFull","surface":"shop","severity":"{{severity}}","pod":"{{pod}}","instance":"db1:9100"} }
            """;

    private static Observation Read(AlertFormat format, string json)
    {
        var reading = format.Read(Encoding.UTF8.GetBytes(json), new(Options, Now));
        Assert.Null(reading.Error);
        return reading.Observation!;
    }

    private static string ErrorOf(AlertFormat format, string json)
    {
        var reading = format.Read(Encoding.UTF8.GetBytes(json), new(Options, Now));
        Assert.Null(reading.Observation);
        return reading.Error!;
    }
}
