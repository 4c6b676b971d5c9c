using System.Net;
using System.Text;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Diagnostics;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Tests.Alerts;
using AutoTicket.Tests.Kit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace AutoTicket.Tests.Diagnostics;

/// <summary>While no alert can be sent, every page says so, and no alert is lost.</summary>
[Trait("Pitfall", "T-38")]
public sealed class DeliveryWatchTests
{
    private const string Nobody = "Alerts reach nobody, neither by DM nor by ticket.";
    private const string NotSent = "Alerts are not being sent: the console's database can't be reached.";

    [Fact]
    public async Task While_FreeScout_and_Slack_are_down_every_page_says_so_and_a_restart_loses_no_alert()
    {
        await using var driver = await AlertDriver.StartAsync();
        await Eventually.TrueAsync(() => driver.Console.Get<LeaderLease>().IsLeader, "the first console leads");
        await driver.StartConsoleAsync();
        Assert.False(driver.Console.Get<LeaderLease>().IsLeader);
        var freeScout = driver.Sandbox.Faults.Add(new(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout });
        var slack = driver.Sandbox.Faults.Add(Fault.SlackError("invalid_auth"));
        await driver.RaiseAsync(AlertDriver.Say());
        await driver.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);

        foreach (var console in driver.Consoles)
        {
            await ExpectOnEveryPageAsync(console, Nobody, "SLACK_BOT_TOKEN", "Set a new FREESCOUT_API_KEY");
        }

        await driver.StopAsync(driver.Consoles[0]);
        await driver.StopAsync(driver.Consoles[0]);
        await driver.StartConsoleAsync();
        await ExpectOnEveryPageAsync(driver.Console, Nobody);

        slack.Dispose();
        freeScout.Dispose();
        await driver.StopAsync(driver.Console);
        await driver.StartConsoleAsync();
        await driver.EventuallyTicketsAsync(1);
        await driver.EventuallySettledAsync();
        Assert.Single(driver.Sandbox.Slack.Messages);
        await Eventually.TrueAsync(() => driver.Console.Get<DeliveryWatch>().Problem is null, "alerts are sent again");
        Assert.DoesNotContain(Nobody, await PageAsync(driver.Console, "/console/status"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_warning_is_shown_while_tickets_or_DMs_still_work()
    {
        await using var driver = await AlertDriver.StartAsync();
        var watch = driver.Console.Get<DeliveryWatch>();
        await Eventually.TrueAsync(() => driver.Console.Get<LeaderLease>().IsLeader, "the console leads");
        using (driver.Sandbox.Faults.Add(Fault.SlackError("invalid_auth")))
        {
            await driver.RaiseAsync(AlertDriver.Say());
            await driver.EventuallyDecidedAsync("degraded: token_rejected", "slack");
            await driver.EventuallyTicketsAsync(1);
            await ExpectOnEveryPageAsync(driver.Console, "No DMs are sent. Slack rejected the token");
            Assert.DoesNotContain(Nobody, await PageAsync(driver.Console, "/console/alerts"), StringComparison.Ordinal);

            // An operator who switches tickets off must learn that DMs fail too.
            await driver
                .Console.Get<FlagWatch>()
                .ChangeAsync(FlagNames.AlertsAutoTicket, new FlagChangeRequest(false, "a test"), "test", CancellationToken.None);
            await Eventually.TrueAsync(
                () => watch.Problem?.Contains("FLAG_CONSOLE_ALERTS_AUTO_TICKET is off.", StringComparison.Ordinal) == true,
                "the warning is shown"
            );
        }
    }

    [Fact]
    public async Task Without_the_database_every_page_says_that_alerts_are_not_sent()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        await using var console = await ConsoleHost.StartAsync(
            database,
            sandbox,
            new Dictionary<string, string?> { ["DATABASE_URL"] = line.Through(database.Location) }
        );
        // At its start a console needs the database for the keys that encrypt cookies; until then it has no pages.
        await Eventually.TrueAsync(
            async () => !(await PageAsync(console, "/console/status")).Contains(NotSent, StringComparison.Ordinal),
            "the console has read the database"
        );

        line.Cut();
        await ExpectOnEveryPageAsync(console, NotSent);

        line.Restore();
        await Eventually.TrueAsync(
            async () => !(await PageAsync(console, "/console/alerts")).Contains(NotSent, StringComparison.Ordinal),
            "the warning is gone"
        );
    }

    [Fact]
    public async Task An_escalation_that_falls_due_without_the_database_is_sent_once()
    {
        var clock = new StillClock();
        using var running = clock.Run();
        await using var sandbox = await SandboxServer.StartAsync(new SandboxSettings { Clock = clock });
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        await using var console = await ConsoleHost.StartAsync(
            database,
            sandbox,
            new Dictionary<string, string?> { ["DATABASE_URL"] = line.Through(database.Location) },
            clock
        );
        await Eventually.TrueAsync(() => console.Get<LeaderLease>().IsLeader, "the console leads");
        using var rejected = sandbox.Faults.Add(new(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout });
        await console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await using var db = database.Open();
        await Eventually.TrueAsync(async () => await db.Escalations.AnyAsync(), "the escalation is running");

        line.Cut();
        await Eventually.TrueAsync(() => console.Get<DatabaseGate>().Problem is not null, "the database is unreachable");
        clock.Advance(TimeSpan.FromMinutes(9));
        Assert.Empty(sandbox.Slack.Messages);
        // In one step only: if the clock moved on, calls to Slack would time out and be repeated.
        clock.Advance(TimeSpan.FromMinutes(2));
        await Eventually.TrueAsync(() => sandbox.Slack.Messages.Count == 1, "the DM is sent");
        Assert.Contains("The FreeScout key is invalid", sandbox.Slack.Messages[0].Text, StringComparison.Ordinal);
        await Eventually.TrueAsync(
            () => console.Get<EscalationWatch>().Levels.Contains((EscalationCondition.KeyInvalid, 2)),
            "the gauge shows that it is due"
        );

        line.Restore();
        await Eventually.TrueAsync(async () => await db.AlertDeliveries.AnyAsync(d => d.Hook == "slack"), "the DM is recorded");
        Assert.Single(sandbox.Slack.Messages);
    }

    [Fact]
    public async Task An_escalation_that_ended_unstored_suppresses_no_later_one()
    {
        var clock = new StillClock();
        using var running = clock.Run();
        await using var sandbox = await SandboxServer.StartAsync(new SandboxSettings { Clock = clock });
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        await using var console = await ConsoleHost.StartAsync(
            database,
            sandbox,
            new Dictionary<string, string?> { ["DATABASE_URL"] = line.Through(database.Location) },
            clock
        );
        await Eventually.TrueAsync(() => console.Get<LeaderLease>().IsLeader, "the console leads");
        line.Cut();
        await Eventually.TrueAsync(() => console.Get<DatabaseGate>().Problem is not null, "the database is unreachable");
        using (sandbox.Faults.Add(new(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout }))
        {
            await AskFreeScoutAsync();
            await clock.AdvanceUntilAsync(
                TimeSpan.FromMinutes(4),
                () => Task.FromResult(Told().Count == 1),
                "the DM is sent from memory",
                TimeSpan.FromSeconds(4)
            );
        }

        await AskFreeScoutAsync();
        await Eventually.TrueAsync(() => Told().Count == 2, "the recovery is sent from memory");
        Assert.Contains("RECOVERED", Told()[1], StringComparison.Ordinal);
        line.Restore();
        await Eventually.TrueAsync(
            () => console.Get<DatabaseGate>().Problem is null && console.Get<LeaderLease>().IsLeader,
            "the database is back"
        );
        await using var db = database.Open();
        Assert.Empty(await db.Escalations.ToListAsync());

        clock.Advance(TimeSpan.FromSeconds(5));
        using var again = sandbox.Faults.Add(new(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout });
        await AskFreeScoutAsync();
        await Eventually.TrueAsync(async () => await db.Escalations.AnyAsync(), "the escalation is running");
        // In one step, because the lease expires with each.
        clock.Advance(TimeSpan.FromMinutes(11));
        await Eventually.TrueAsync(() => Told().Count == 3, "the DM of the second escalation is sent");

        // Ignores other DMs: moving the clock can make calls to FreeScout time out, which is reported too.
        List<string> Told() =>
            [
                .. sandbox
                    .Slack.Messages.Select(message => message.Text)
                    .Where(text => text.Contains("The FreeScout key is invalid", StringComparison.Ordinal)),
            ];

        Task AskFreeScoutAsync() => console.Get<FreeScoutClient>().FindAsync(1, CancellationToken.None);
    }

    [Fact]
    public async Task The_fallback_webhook_is_called_once_when_deliveries_fail_and_once_when_they_recover()
    {
        var clock = new StillClock();
        using var running = clock.Run();
        await using var fallback = await WebhookReceiver.StartAsync();
        await using var collector = await Collector.StartAsync();
        var secret = new Uri(fallback.Url, "/canary-path-7c31");
        await using var console = await DiagnosedConsole.StartAsync(
            new()
            {
                ["FALLBACK_WEBHOOK_URL"] = secret.AbsoluteUri,
                ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Url.AbsoluteUri,
                ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
                ["OTEL_BSP_SCHEDULE_DELAY"] = "200",
            },
            clock: clock
        );
        var freeScout = console.Sandbox.Faults.Add(new(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout });
        var slack = console.Sandbox.Faults.Add(Fault.SlackError("invalid_auth"));
        await console.Host.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await console.RaiseAsync(AlertDriver.Say());
        await Eventually.TrueAsync(() => console.Host.Get<DeliveryWatch>().Problem is not null, "no alert can be sent");
        // An outage that ends within a minute is not sent to the fallback webhook.
        freeScout.Dispose();
        await console.Host.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await Eventually.TrueAsync(() => console.Host.Get<DeliveryWatch>().Problem is null, "tickets are filed");
        freeScout = console.Sandbox.Faults.Add(new(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout });
        await console.Host.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await Eventually.TrueAsync(() => console.Host.Get<DeliveryWatch>().Problem is not null, "no alert can be sent again");
        fallback.Refuse(1);

        clock.Advance(FallbackWebhook.After);
        await Eventually.TrueAsync(
            () =>
                console.Host.Log.Any(line =>
                    line.Contains("fallback webhook failed, trying again: it answered 500", StringComparison.Ordinal)
                ),
            "the webhook answered 500"
        );
        clock.Advance(FallbackWebhook.After);
        await Eventually.TrueAsync(() => CallCount() == 1, "the webhook was delivered");
        slack.Dispose();
        freeScout.Dispose();
        await console.Host.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await Eventually.TrueAsync(() => CallCount() == 2, "the recovery was delivered");

        var texts = (await fallback.ReceivedAsync(2))
            .Select(hook => JsonSerializer.Deserialize<JsonElement>(Encoding.UTF8.GetString(hook.Body)).GetProperty("text").GetString()!)
            .TakeLast(2)
            .ToList();
        Assert.StartsWith($"AutoTicket Console: {Nobody}", texts[0], StringComparison.Ordinal);
        Assert.EndsWith("/console/diagnostics", texts[0], StringComparison.Ordinal);
        Assert.Equal("AutoTicket Console: Alerts are being sent again.", texts[1]);
        // The webhook's URL is a secret.
        Assert.DoesNotContain(console.Host.Log, line => line.Contains(secret.AbsolutePath, StringComparison.Ordinal));
        await Eventually.TrueAsync(() => collector.Holds(fallback.Url.Authority), "the call's trace was collected");
        Assert.DoesNotContain(secret.AbsolutePath, collector.All, StringComparison.Ordinal);

        int CallCount() => console.Host.Log.Count(line => line.Contains("fallback webhook called", StringComparison.Ordinal));
    }

    /// <summary>For example a standby after a failover, or a full disk: reads work.</summary>
    [Theory, BothDatabases]
    public async Task A_database_that_takes_no_writes_is_an_outage_until_it_does(Database kind)
    {
        var clock = new StillClock();
        using var running = clock.Run();
        await using var fallback = await WebhookReceiver.StartAsync();
        await using var sandbox = await SandboxServer.StartAsync(new SandboxSettings { Clock = clock });
        await using var database = await TestDatabase.CreateAsync(kind);
        var contexts = new ReadOnlyContexts(database);
        await using var console = await ConsoleHost.StartAsync(
            database,
            sandbox,
            new Dictionary<string, string?> { ["FALLBACK_WEBHOOK_URL"] = fallback.Url.AbsoluteUri },
            clock,
            services: services => services.Replace(ServiceDescriptor.Singleton<IDbContextFactory<AutoTicketDbContext>>(contexts))
        );
        var gate = console.Get<DatabaseGate>();
        var watch = console.Get<DeliveryWatch>();
        await Eventually.TrueAsync(() => console.Get<LeaderLease>().IsLeader && watch.Problem is null, "the console works");
        var changes = 0;
        gate.Changed += () => Interlocked.Increment(ref changes);

        contexts.IsReadOnly = true;
        await Eventually.TrueAsync(() => watch.Problem is not null, "alerts are not sent");
        Assert.StartsWith("The console's database takes no writes: ", gate.Problem, StringComparison.Ordinal);
        Assert.StartsWith("Alerts are not being sent: the console's database takes no writes.", watch.Problem, StringComparison.Ordinal);
        using (var ready = await console.Http.GetAsync(new Uri("/healthz/ready", UriKind.Relative)))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        }

        clock.Advance(FallbackWebhook.After);
        await fallback.ReceivedAsync(1);
        Assert.Equal(1, Volatile.Read(ref changes));
        contexts.IsReadOnly = false;
        await fallback.ReceivedAsync(2);

        Assert.Null(gate.Problem);
        Assert.Single(console.Log, line => line.Contains("database takes no writes, trying again", StringComparison.Ordinal));
        Assert.DoesNotContain(console.Log, line => line.Contains("database can't be reached, trying again", StringComparison.Ordinal));
    }

    private sealed class ReadOnlyContexts(TestDatabase database) : IDbContextFactory<AutoTicketDbContext>
    {
        public bool IsReadOnly { get; set; }

        public AutoTicketDbContext CreateDbContext() => IsReadOnly ? database.OpenReadOnly() : database.Open();
    }

    [Fact]
    public async Task A_restart_neither_repeats_nor_loses_a_fallback_message()
    {
        var clock = new StillClock();
        using var running = clock.Run();
        await using var fallback = await WebhookReceiver.StartAsync();
        await using var sandbox = await SandboxServer.StartAsync(new SandboxSettings { Clock = clock });
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        var freeScout = sandbox.Faults.Add(new(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout });
        var slack = sandbox.Faults.Add(Fault.SlackError("invalid_auth"));
        var settings = new Dictionary<string, string?>
        {
            ["FALLBACK_WEBHOOK_URL"] = fallback.Url.AbsoluteUri,
            ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
        };
        await using (var first = await ConsoleHost.StartAsync(database, sandbox, settings, clock))
        {
            await first.Get<AlertAggregator>().ObserveAsync([AlertDriver.Say()], CancellationToken.None);
            await WaitForProblemAsync(first);
            clock.Advance(FallbackWebhook.After);
            await fallback.ReceivedAsync(1);
        }

        await using var second = await ConsoleHost.StartAsync(database, sandbox, settings, clock);
        await WaitForProblemAsync(second);
        clock.Advance(FallbackWebhook.After);
        await Eventually.TrueAsync(
            () => second.Get<DeliveryWatch>().Since < clock.GetUtcNow() - FallbackWebhook.After,
            "no alert could be sent for long enough"
        );
        slack.Dispose();
        freeScout.Dispose();
        await second.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);

        var texts = (await fallback.ReceivedAsync(2))
            .Select(hook => JsonSerializer.Deserialize<JsonElement>(hook.Body).GetProperty("text").GetString())
            .ToList();
        Assert.Equal("AutoTicket Console: Alerts are being sent again.", texts[^1]);
        Assert.Equal(2, texts.Count);

        static async Task WaitForProblemAsync(ConsoleHost console)
        {
            await console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
            await Eventually.TrueAsync(() => console.Get<DeliveryWatch>().Problem is not null, "no alert can be sent");
        }
    }

    private static async Task ExpectOnEveryPageAsync(ConsoleHost console, params string[] said)
    {
        foreach (
            var path in new[]
            {
                "/console/status",
                "/console/alerts",
                "/console/incidents",
                "/console/tickets",
                "/console/flags",
                "/console/audit",
                "/console/diagnostics",
            }
        )
        {
            await Eventually.TrueAsync(
                async () => await PageAsync(console, path) is var page && said.All(one => page.Contains(one, StringComparison.Ordinal)),
                $"{path} shows the warning"
            );
        }
    }

    private static async Task<string> PageAsync(ConsoleHost console, string path) =>
        WebUtility.HtmlDecode(await console.Http.GetStringAsync(new Uri(path, UriKind.Relative)));
}
