using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Intake;
using AutoTicket.Mailbox;
using AutoTicket.Security;
using AutoTicket.Slack;
using AutoTicket.Surfaces;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests;

/// <summary>Every parser of external input accepts it or rejects it with a sentence; it never throws, and returns only text that can be
/// stored. Each gets hundreds of inputs, the same in every run.</summary>
public sealed class ForeignInputTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private static readonly IntakeContext Rules = new(new AlertsOptions { VolatileLabels = "pod" }, Now);
    private static readonly string[] Fields =
    [
        "alert_id",
        "source",
        "name",
        "surface",
        "severity",
        "summary",
        "status",
        "labels",
        "starts_at",
        "url",
        "alertname",
        "rule",
        "priority",
        "pod",
        "annotations",
        "startsAt",
        "endsAt",
        "generatorURL",
        "description",
        "message",
    ];

    private const string Valid = """
        {"name":"n","status":"firing","summary":"😀 s","severity":"P1","labels":{"alertname":"A","severity":"page","pod":"1"},
         "annotations":{"summary":"x"},"endsAt":"2026-11-28T13:00:00Z"}
        """;

    [Fact]
    public void Any_alert_is_read_or_parked_with_its_mistake()
    {
        var rubbish = new Rubbish(1);
        var taken = 0;
        for (var n = 0; n < 3000; n++)
        {
            var format = rubbish.One(AlertFormat.Generic, AlertFormat.Prometheus, AlertFormat.Alertmanager);
            var bytes = rubbish.Number(3) == 0 ? rubbish.Bent(Valid) : Encoding.UTF8.GetBytes(rubbish.Members(3, Fields));
            CleanText.MendEscapes(bytes);

            var reading = format.Read(bytes, Rules);

            if (reading.Observation is not { } seen)
            {
                Storable(reading.Error, 1000);
                var parked = format.Park(bytes, reading.Error!, Now);
                Storable(parked.Text, AlertFormat.LongestKept);
                continue;
            }

            taken++;
            Assert.Null(reading.Error);
            Storable(seen.Name, AlertFields.LongestName);
            Storable(seen.Source, AlertFields.LongestSource);
            Storable(seen.Surface ?? "x", AlertFields.LongestSurface);
            Storable(seen.ProducerId ?? "x", AlertFields.LongestId);
            Storable(seen.Summary, Alert.LongestSummary);
            Storable(seen.FullText ?? "x", AlertFormat.LongestAlert);
            Storable(seen.AllLabels, AlertFormat.LongestAlert * 6);
            Assert.True(seen.Variant.Length <= 200 && CleanText.Of(seen.Variant) == seen.Variant);
            Assert.Equal(seen.AlertId, format.Read(bytes, Rules).Observation!.AlertId);
        }

        Assert.InRange(taken, 100, 2900);
    }

    [Fact]
    public void Any_severity_word_and_any_labels_make_an_alert()
    {
        var rubbish = new Rubbish(2);
        for (var n = 0; n < 1000; n++)
        {
            var labels = Enumerable
                .Range(0, 1 + rubbish.Number(4))
                .Select(i => (Name: $"{i}{rubbish.Text()}", Value: $"v{rubbish.Text()}"))
                .DistinctBy(label => AlertText.Strip(CleanText.Of(label.Name)))
                .ToDictionary(label => label.Name, label => label.Value);
            labels["severity"] = rubbish.Text();
            var json = CleanText.Json(JsonSerializer.SerializeToUtf8Bytes(new { labels }));

            var reading = AlertFormat.Prometheus.Read(json, Rules);

            Assert.True(reading.Observation is not null, reading.Error);
        }
    }

    [Fact]
    public void Any_intake_request_is_split_or_refused()
    {
        var rubbish = new Rubbish(3);
        for (var n = 0; n < 3000; n++)
        {
            var bytes = rubbish.Bent($"[{rubbish.Json(3)},{rubbish.Json(2)}]");
            CleanText.MendEscapes(bytes);

            var elements = AlertSplitter.Elements(bytes, mayBeOne: true);

            // Compares with a parser of the whole text, if that parser accepts it.
            if (Utf8.IsValid(bytes) && Parse(bytes) is { ValueKind: JsonValueKind.Array } whole)
            {
                Assert.Equal(
                    whole.EnumerateArray().Select(element => element.GetRawText()),
                    elements!.Select(element => Encoding.UTF8.GetString(element.Span))
                );
            }

            AlertSplitter.Member(bytes, "alerts"u8);
        }
    }

    [Fact]
    public async Task Any_response_of_FreeScout_is_read_or_fails_with_a_sentence()
    {
        var rubbish = new Rubbish(4);
        string[] names =
        [
            "id",
            "number",
            "subject",
            "status",
            "state",
            "mailboxId",
            "createdAt",
            "createdBy",
            "closedByUser",
            "_embedded",
            "tags",
            "name",
            "threads",
            "body",
            "conversations",
            "page",
            "message",
            "errors",
            "path",
        ];
        const string list = """
            {"_embedded":{"conversations":[{"id":1,"number":2,"subject":"😀 [at-0123456789]","status":"active","state":"published",
              "mailboxId":3,"createdAt":"2026-11-28T02:14:03Z","createdBy":{"firstName":"Olga","lastName":"O"},
              "_embedded":{"tags":[{"id":1,"name":"auto:status"}],
               "threads":[{"type":"note","body":"<p>x</p>","action":{"type":"merged"}}]}}]},
             "page":{"size":100,"totalElements":1,"totalPages":1,"number":1}}
            """;
        using var http = new Answering(() =>
        {
            var body = rubbish.Number(2) == 0 ? rubbish.Bent(list) : Encoding.UTF8.GetBytes(rubbish.Members(4, names));
            var content = new ByteArrayContent(body);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            return new HttpResponseMessage((HttpStatusCode)rubbish.One(200, 200, 200, 201, 422, 404, 403)) { Content = content };
        });
        var clock = TimeProvider.System;
        var options = new FreeScoutOptions
        {
            BaseUrl = "http://freescout.test",
            ApiKey = "canary",
            OperationsMailboxId = "3",
        };
        var client = new FreeScoutClient(
            http,
            Options.Create(options),
            new FreeScoutHealth(clock),
            clock,
            NullLogger<FreeScoutClient>.Instance
        );
        var read = 0;
        for (var n = 0; n < 300; n++)
        {
            var marked = await client.FindByMarkerAsync("at-0123456789", default);
            var tagged = await client.ListTaggedAsync("auto:status", Now, default);
            foreach (var found in new[] { marked, tagged })
            {
                Storable(found.Failure?.Message ?? "x", 500);
                read += found.Value?.Count ?? 0;
                found.Value?.ForEach(Check);
            }

            var one = await client.FindAsync(1, default, withThreads: true);
            Storable(one.Failure?.Message ?? "x", 500);
            if (one.Value is { } conversation)
            {
                Check(conversation);
            }

            Storable((await client.CreateAsync(new("s", "h"), DateTimeOffset.MaxValue, default)).Failure?.Message ?? "x", 500);
            Storable((await client.AddTagsAsync(1, ["auto:status"], default)).Failure?.Message ?? "x", 500);
        }

        Assert.True(read > 50);

        static void Check(Conversation conversation)
        {
            string?[] texts =
            [
                conversation.Subject,
                conversation.Status,
                conversation.State,
                conversation.CreatedByName,
                conversation.ClosedByName,
                .. conversation.Tags,
                .. conversation.Bodies,
            ];
            Assert.All(texts, text => Assert.True(text is null || CleanText.Of(text) == text));
        }
    }

    [Fact]
    public void Any_response_of_Slack_is_read_or_fails_with_a_sentence()
    {
        var rubbish = new Rubbish(5);
        for (var n = 0; n < 2000; n++)
        {
            var body =
                rubbish.Number(2) == 0
                    ? rubbish.Bent("""{"ok":false,"error":"missing_scope","needed":"chat:write","channel":{"id":"D1"}}""")
                    : Encoding.UTF8.GetBytes(rubbish.Members(2, "ok", "error", "needed", "channel", "id"));

            var failure = SlackAnswers.Read(rubbish.One(200, 200, 200, 404, 429, 503), body, null, "xoxb-canary", out var read);

            Storable(failure?.Message ?? "x", 500);
            if (read.ValueKind == JsonValueKind.Object && read.TryGetProperty("channel", out var channel))
            {
                SlackAnswers.Text(channel, "id");
            }
        }
    }

    [Fact]
    public void Any_event_of_FreeScout_is_only_a_hint()
    {
        var rubbish = new Rubbish(6);
        for (var n = 0; n < 2000; n++)
        {
            var body =
                rubbish.Number(2) == 0
                    ? rubbish.Bent("""{"id":17,"subject":"😀"}""")
                    : Encoding.UTF8.GetBytes(rubbish.Members(2, "id", "\ud83d", "subject"));

            Assert.False(FreeScoutWebhook.IdIn(body) <= 0);
            WebhookSignature.Read(rubbish.Text());
        }
    }

    [Fact]
    public void A_database_url_is_read_or_refused_with_a_sentence()
    {
        var rubbish = new Rubbish(7);
        for (var n = 0; n < 2000; n++)
        {
            var url = rubbish.One(
                rubbish.Text(),
                $"postgres://{rubbish.Text()}",
                $"postgres://u:p@h:5432/{rubbish.Text()}",
                $"host={rubbish.Text()} dbname=x",
                $"postgresql://{rubbish.Text()}:{rubbish.Text()}@{rubbish.Text()}:{rubbish.Text()}/db?{rubbish.Text()}",
                Encoding.UTF8.GetString(rubbish.Bent("postgres://user:p%40ss@db.example.org:5432/db?sslmode=require")),
                $"postgres://u:p@h/db?sslmode={rubbish.Text()}"
            );
            Refused(() => DatabaseUrl.ToConnectionString(url));
        }
    }

    [Fact]
    public void Settings_are_read_or_refused_with_a_sentence()
    {
        var rubbish = new Rubbish(8);
        string[] names =
        [
            "Surfaces:0:Key",
            "Surfaces:0:Name",
            "Surfaces:0:Url",
            "Surfaces:0:Method",
            "Surfaces:0:ExpectedStatus",
            "Surfaces:0:ExpectedText",
            "Surfaces:0:Severity",
            "Surfaces:0:SlowAfter",
            "Surfaces:0:Timeout",
            "Surfaces:0:DownAfter",
            "Surfaces:0:MaintenanceUntil",
            "CONSOLE_SESSION_LIFETIME",
            "OIDC_AUTHORITY",
            "OIDC_CLIENT_ID",
            "OIDC_CLIENT_SECRET",
            "OIDC_ROLE_MAP",
            "OIDC_SCOPES",
            "CONSOLE_API_TOKENS",
            "CONSOLE_OPERATOR_PASSWORD_HASH",
            "FLAG_CONSOLE_ALERTS_AUTO_TICKET",
            "Circuits:InAll",
        ];
        for (var n = 0; n < 1000; n++)
        {
            var settings = new Dictionary<string, string?> { ["Surfaces:0:Key"] = "pay", ["Surfaces:0:Url"] = "http://pay.test" };
            for (var changes = rubbish.Number(4); changes >= 0; changes--)
            {
                settings[rubbish.One<string>(names)] = rubbish.Text();
            }

            var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings).Build();
            Refused(() => SurfaceList.Read(configuration, new StatusOptions()));
            Refused(() => SignInOptions.Read(configuration, isDevelopment: rubbish.Number(2) == 0));
            Refused(() => FlagEnvironment.Read(configuration, defaultOn: false));
            Refused(() => CircuitLimits.Read(configuration));
            Refused(() => Settings.Read(configuration, rubbish.One<string>(names), TimeSpan.Zero));
            Refused(() => Settings.Read(configuration, rubbish.One<string>(names), 1));
            Refused(() => Settings.Read(configuration, rubbish.One<string>(names), false));
            foreach (
                var options in new IValidatableObject[]
                {
                    new AlertsOptions { SeverityMap = rubbish.Text(), VolatileLabels = rubbish.Text() },
                    new FreeScoutOptions
                    {
                        BaseUrl = rubbish.Text(),
                        ApiKey = rubbish.Text(),
                        OperationsMailboxId = rubbish.Text(),
                    },
                    new FreeScoutOptions
                    {
                        BaseUrl = "https://freescout.test",
                        CustomerEmail = rubbish.Text(),
                        NoteUserId = rubbish.Text(),
                    },
                    new SlackOptions { BaseUrl = rubbish.Text(), BotToken = rubbish.Text() },
                }
            )
            {
                var mistakes = options.Validate(new ValidationContext(options));
                Assert.All(mistakes, mistake => Assert.False(string.IsNullOrEmpty(mistake.ErrorMessage)));
            }
        }
    }

    [Fact]
    public async Task No_query_string_breaks_a_page_or_an_answer()
    {
        var rubbish = new Rubbish(9);
        await using var console = await ConsoleHost.StartAsync();
        string[] names =
        [
            "active",
            "before",
            "state",
            "tag",
            "action",
            "actor",
            "from",
            "to",
            "q",
            "show",
            "by",
            "view",
            "wait",
            "wrong",
            "returnUrl",
        ];
        string[] paths = ["/api/alerts", "/api/tickets", "/api/audit.csv", "/api/flags", "/console/alerts", "/console/status", "/login"];
        for (var n = 0; n < 150; n++)
        {
            var parameters = Enumerable
                .Range(0, 1 + rubbish.Number(3))
                .Select(_ => $"{rubbish.One<string>(names)}={Escaped(rubbish.Text())}");
            var query = string.Join('&', parameters);
            var address = $"{rubbish.One<string>(paths)}?{query}";
            using var answer = await console.Http.GetAsync(new Uri(console.Address, address));
            Assert.True((int)answer.StatusCode < 500, $"{(int)answer.StatusCode} {address}");
        }

        // UTF-8 can't encode half a surrogate pair, so the query contains invalid bytes instead.
        string Escaped(string text) =>
            Uri.EscapeDataString(text) is { Length: < 4000 } escaped ? escaped + rubbish.One("", "", "%ff", "%ed%a0%bd", "%00", "%") : "";
    }

    private static void Storable(string? text, int longest)
    {
        Assert.False(string.IsNullOrEmpty(text));
        Assert.Equal(CleanText.Of(text), text);
        Assert.InRange(text.Length, 1, longest);
    }

    private static void Refused(Func<object> read)
    {
        try
        {
            read();
        }
        catch (ConfigurationException refused)
        {
            Assert.False(string.IsNullOrEmpty(refused.Message));
        }
    }

    private static JsonElement? Parse(byte[] json)
    {
        try
        {
            return JsonSerializer.Deserialize<JsonElement>(json);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Returns the test's responses to the client's own response reader.</summary>
    private sealed class Answering(Func<HttpResponseMessage> answer) : HttpMessageHandler, IHttpClientFactory
    {
        public HttpClient CreateClient(string name) => new(new AnswerReader { InnerHandler = this }, disposeHandler: false);

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(answer());
    }
}
