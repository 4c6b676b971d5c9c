using System.Net;
using System.Net.Http.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Flags;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Access;

/// <summary>Programs with a bearer token: what they may do, and how wrong tokens are treated.</summary>
public sealed class TokenTests
{
    private const string Intake = "canary-intake-0123456789abcdef012345";
    private const string Scrape = "canary-scrape-0123456789abcdef012345";
    private const string Viewer = "canary-viewer-0123456789abcdef012345";
    private const string Admin = "canary-admin-0123456789abcdef0123456";
    private const string Nameless = "canary-nameless-0123456789abcdef0123";

    private static readonly Dictionary<string, string?> Settings = new()
    {
        ["CONSOLE_OPERATOR_PASSWORD_HASH"] = Security.Login.Hash("a test's password"),
        ["CONSOLE_API_TOKENS"] = $"grafana:viewer:{Viewer}, deploy:admin:{Admin}, {Nameless}",
        ["ALERTS_INGEST_TOKEN"] = Intake,
        ["METRICS_TOKEN"] = Scrape,
        ["FLAG_CONSOLE_INVESTIGATE_FROM_STATUS"] = null,
    };

    [Fact]
    public async Task An_API_token_has_a_role_and_is_named_in_the_audit_log()
    {
        await using var console = await StartAsync();
        foreach (
            var (token, name, flag) in new[]
            {
                (Viewer, "grafana", HttpStatusCode.Forbidden),
                (Admin, "deploy", HttpStatusCode.OK),
                (Nameless, "api", HttpStatusCode.OK),
            }
        )
        {
            Assert.Equal(HttpStatusCode.OK, await AskAsync(console, "/api/status", token));
            using var flip = new HttpRequestMessage(HttpMethod.Put, $"/api/flags/{FlagNames.InvestigateFromStatus}")
            {
                Content = JsonContent.Create(new { enabled = name == "deploy", reason = "a test" }),
                Headers = { { "Authorization", $"Bearer {token}" } },
            };
            Assert.Equal(flag, (await console.Http.SendAsync(flip)).StatusCode);
            await using var db = Open(console);
            Assert.Equal($"token:{name}", (await db.AuditLog.OrderBy(entry => entry.Id).LastAsync()).Actor);
        }
    }

    [Fact]
    public async Task After_ten_wrong_tokens_a_minute_an_address_gets_429_and_right_tokens_still_pass()
    {
        var clock = new StillClock();
        await using var console = await StartAsync(clock);
        var answers = new List<HttpStatusCode>();
        foreach (var path in Enumerable.Repeat(new[] { "/api/status", "/metrics", "/api/alerts" }, 4).SelectMany(paths => paths))
        {
            answers.Add(await AskAsync(console, path, "canary-wrong"));
        }

        Assert.Equal(
            Enumerable.Repeat(HttpStatusCode.Unauthorized, 10).Concat(Enumerable.Repeat(HttpStatusCode.TooManyRequests, 2)),
            answers
        );
        Assert.Equal(HttpStatusCode.OK, await AskAsync(console, "/api/status", Viewer));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(console, "/metrics", Scrape));
        Assert.Equal(HttpStatusCode.Accepted, await AskAsync(console, "/api/alerts", Intake));

        clock.Advance(TimeSpan.FromMinutes(1));
        await AskAsync(console, "/api/status", "canary-wrong");
        await using var db = Open(console);
        var denied = await db.AuditLog.Where(entry => entry.Action == AuditActions.Denied).OrderBy(entry => entry.Id).ToListAsync();
        Assert.Equal(2, denied.Count);
        Assert.All(denied, entry => Assert.Contains("wrong token", entry.Payload, StringComparison.Ordinal));
        Assert.Contains("\"tries\":1", denied[0].Payload.Replace(" ", "", StringComparison.Ordinal), StringComparison.Ordinal);
        // The eleven tries since the first row, plus this one.
        Assert.Contains("\"tries\":12", denied[1].Payload.Replace(" ", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("127.0.0.1", denied[1].Payload, StringComparison.Ordinal);
        Assert.Equal(
            2,
            console.Log.Count(line =>
                line.StartsWith("WARNING", StringComparison.Ordinal) && line.Contains("auth denied", StringComparison.Ordinal)
            )
        );
        Assert.DoesNotContain(console.Log, line => line.Contains("canary-wrong", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Authentication_of_a_request_logs_no_line()
    {
        await using var console = await StartAsync();
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(HttpStatusCode.Accepted, await AskAsync(console, "/api/alerts", Intake));
            Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(console, "/api/status", null));
        }

        Assert.DoesNotContain(
            console.Log,
            line => line.Contains("authenticated", StringComparison.Ordinal) || line.Contains("challenged", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task The_intakes_token_does_not_open_metrics_that_have_their_own_token()
    {
        await using var console = await StartAsync();
        Assert.Equal(HttpStatusCode.OK, await AskAsync(console, "/metrics", Scrape));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(console, "/metrics", Intake));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(console, "/api/alerts", Scrape));
    }

    private static Task<ConsoleHost> StartAsync(TimeProvider? clock = null) =>
        ConsoleHost.StartAsync(settings: Settings, environment: "Staging", clock: clock);

    private static AutoTicketDbContext Open(ConsoleHost console) => console.Get<IDbContextFactory<AutoTicketDbContext>>().CreateDbContext();

    /// <summary>Asks as from a proxy, because requests from this machine may read the metrics without a token.</summary>
    private static async Task<HttpStatusCode> AskAsync(ConsoleHost console, string path, string? token)
    {
        using var request = new HttpRequestMessage(path == "/api/alerts" ? HttpMethod.Post : HttpMethod.Get, path);
        request.Headers.Add("X-Forwarded-Proto", "https");
        if (token is not null)
        {
            request.Headers.Authorization = new("Bearer", token);
        }

        if (request.Method == HttpMethod.Post)
        {
            request.Content = new StringContent("""{"name":"backup_failed","severity":"P4","summary":"No backup","status":"firing"}""");
        }

        using var answer = await console.Http.SendAsync(request);
        return answer.StatusCode;
    }
}
