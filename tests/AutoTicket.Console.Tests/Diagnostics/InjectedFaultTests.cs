using System.Diagnostics;
using System.Net;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Alerts;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using static AutoTicket.Tests.Diagnostics.DiagnosedConsole;

namespace AutoTicket.Tests.Diagnostics;

/// <summary>Injects one fault at a time: only its check fails, and the verdict names it.</summary>
public sealed class InjectedFaultTests
{
    /// <summary>Four times the product's limit of five seconds, for a busy machine.</summary>
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(20);

    public static readonly TheoryData<FaultKind, int?, string, string> FaultsOfFreeScout = new()
    {
        { FaultKind.Unauthorized, null, "key_valid", "tickets are not: the FreeScout key was rejected at " },
        { FaultKind.Forbidden, null, "key_valid", "tickets are not: the FreeScout key lacks the scope since " },
        { FaultKind.ModuleOff, null, "key_valid", "tickets are not: FreeScout's API module is off since " },
        { FaultKind.ModuleOffHtml, null, "key_valid", "tickets are not: FreeScout's API module is off since " },
        { FaultKind.Status, 503, "freescout_answers", " UTC (503" },
        { FaultKind.HangBefore, null, "freescout_answers", "tickets are not: FreeScout is down since " },
        { FaultKind.ResetBefore, null, "freescout_answers", "tickets are not: FreeScout is down since " },
        { FaultKind.HtmlLogin, null, "freescout_answers", "(a login page?)" },
        { FaultKind.Redirect, null, "freescout_answers", "redirects" },
        { FaultKind.HugeBody, null, "freescout_answers", "that is not its API" },
    };

    [Theory, MemberData(nameof(FaultsOfFreeScout))]
    [Trait("Pitfall", "T-34")]
    public async Task Each_failure_of_FreeScout_has_its_own_verdict(FaultKind fault, int? status, string step, string verdict)
    {
        await using var console = await StartAsync();
        using var failing = console.Sandbox.Faults.Add(new(fault) { Match = FaultMatch.FreeScout, StatusCode = status });

        var answer = await console.EventuallyFailedWithAsync(step, verdict);

        Assert.Equal("not_reached", Step(answer, "mailbox_exists").GetProperty("state").GetString());
        Assert.NotEqual(JsonValueKind.Null, Step(answer, step).GetProperty("next_action").ValueKind);
    }

    [Theory]
    [InlineData(true, "FreeScout does not serve the host of FREESCOUT_BASE_URL since ")]
    [InlineData(false, "a proxy or firewall in front of FreeScout blocks the console since ")]
    public async Task A_403_that_is_not_about_the_key_has_its_own_verdict(bool isHost, string verdict)
    {
        await using var console = await StartAsync();
        if (isHost)
        {
            console.Sandbox.FreeScout.AppHost = "tickets.example.org";
        }
        else
        {
            console.Sandbox.Faults.Add(
                new(FaultKind.Forbidden)
                {
                    Match = FaultMatch.FreeScout,
                    Body = "<html><head><title>Just a moment...</title></head></html>",
                }
            );
        }

        var answer = await console.EventuallyFailedWithAsync("freescout_answers", verdict);

        Assert.DoesNotContain(
            "key",
            Step(answer, "freescout_answers").GetProperty("next_action").GetString(),
            StringComparison.OrdinalIgnoreCase
        );
    }

    [Fact]
    public async Task Without_a_fault_no_check_fails_and_the_verdict_says_what_was_sent()
    {
        await using var console = await StartAsync();
        await console.RaiseAsync(AlertDriver.Say());
        await Eventually.TrueAsync(
            async () =>
                VerdictOf(await console.AskAsync()).StartsWith("All working: tickets and DMs are being sent.", StringComparison.Ordinal),
            "the ticket is filed and the DM sent"
        );

        var answer = await console.EventuallyInAsync([], "failed", "warning", "not_known", "not_reached");

        Assert.Equal(
            console.Host.Get<AutoTicket.Diagnostics.PipelineDiagnostics>().Steps.Count,
            answer.GetProperty("steps").GetArrayLength()
        );
        Assert.All(
            answer.GetProperty("steps").EnumerateArray(),
            step => Assert.Equal(JsonValueKind.String, step.GetProperty("since").ValueKind)
        );
        Assert.Equal(
            ["idle"],
            answer.GetProperty("escalations").EnumerateArray().Select(clock => clock.GetProperty("state").GetString()).Distinct()
        );
    }

    [Theory]
    [InlineData("FREESCOUT_API_KEY", "key_set")]
    [InlineData("FREESCOUT_OPERATIONS_MAILBOX_ID", "mailbox_id")]
    public async Task A_missing_variable_is_named(string variable, string step)
    {
        await using var console = await StartAsync(new() { [variable] = null });

        var answer = await console.EventuallyFailedAsync(step);

        Assert.Contains($"tickets are not: {variable} ", VerdictOf(answer), StringComparison.Ordinal);
        Assert.Contains(variable, Step(answer, step).GetProperty("seen").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_missing_mailbox_is_detected_with_and_without_a_route_for_one_mailbox(bool hasRoute)
    {
        await using var console = await StartAsync();
        console.Sandbox.FreeScout.Behavior.MailboxById = hasRoute;
        console.Sandbox.FreeScout.Behavior.MaxPageSize = 2;
        await console.EventuallyFailedAsync();
        console.Sandbox.FreeScout.RemoveMailbox(console.Sandbox.FreeScout.MailboxId);

        var answer = await console.EventuallyFailedAsync("mailbox_exists");

        Assert.EndsWith(
            $"tickets are not: FreeScout has no mailbox {console.Sandbox.FreeScout.MailboxId}.",
            VerdictOf(answer),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("mailboxes", """{"_embedded":{"mailboxes":[{"id":1}]},"page":{"totalPages":1}}""", "user_id", "may not use the mailbox 3")]
    [InlineData(
        "webhooks",
        """{"_embedded":{"webhooks":[{"url":"https://c.example/api/freescout/webhook","lastRunError":"HTTP 401"}]}}""",
        "webhook",
        "failed: HTTP 401"
    )]
    public async Task A_wrong_agent_or_webhook_in_FreeScout_is_a_warning(string path, string body, string step, string seen)
    {
        await using var console = await StartAsync();
        console.Sandbox.FreeScout.Behavior.MailboxById = true;
        using var fault = console.Sandbox.Faults.Add(
            new(FaultKind.WrongJson) { Match = new FaultMatch("GET", $"{FreeScoutStandIn.ApiPath}/{path}", Whole: true), Body = body }
        );

        var answer = await console.EventuallyInAsync([step], "failed", "warning", "not_known", "not_reached");

        Assert.Contains(seen, Step(answer, step).GetProperty("seen").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failed_note_does_not_fail_the_ticket_check()
    {
        await using var console = await StartAsync();
        await console.RaiseAsync(AlertDriver.Say());
        await Eventually.TrueAsync(
            async () => (await DeliveredAsync()).Any(delivery => delivery.TicketId is not null),
            "the ticket is filed"
        );
        using var fault = console.Sandbox.Faults.Add(
            new(FaultKind.Status)
            {
                Match = new FaultMatch("POST", $"{FreeScoutStandIn.ApiPath}/conversations/*/threads", Whole: true),
                StatusCode = 500,
            }
        );
        await console.RaiseAsync(AlertDriver.Say(firing: false));
        await Eventually.TrueAsync(() => fault.Hits > 0, "the note is tried");
        await using var db = console.Database.Open();
        await Eventually.TrueAsync(
            () => db.Decisions.Where(DecisionWord.IsDegradedRow).AnyAsync(d => d.Path == DecisionSources.Ticket),
            "the failure is recorded"
        );

        Assert.NotEqual("failed", Step(await console.AskAsync(), "last_ticket").GetProperty("state").GetString());

        async Task<List<AlertDelivery>> DeliveredAsync()
        {
            await using var read = console.Database.Open();
            return await read.AlertDeliveries.AsNoTracking().Where(delivery => delivery.Hook == DecisionSources.Ticket).ToListAsync();
        }
    }

    [Fact]
    public async Task A_missing_tags_module_is_only_a_warning()
    {
        await using var console = await StartAsync();
        console.Sandbox.FreeScout.Behavior.TagsModule = false;

        var answer = await console.EventuallyInAsync(["tags_module"], "failed", "warning", "not_known", "not_reached");

        Assert.Contains(
            "DMs and tickets are ready. Worth a look: FreeScout has no Tags module",
            VerdictOf(answer),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("/tags?", 429, "tags_module")]
    [InlineData("/tags?", 403, "tags_module")]
    [InlineData("/mailboxes?userId=", 500, "user_id")]
    public async Task A_check_that_FreeScout_does_not_answer_is_not_known(string path, int status, string step)
    {
        await using var console = await StartAsync(services: services =>
            services.AddHttpClient(FreeScoutProbe.HttpName).AddHttpMessageHandler(() => new Refusing(path, (HttpStatusCode)status))
        );

        var answer = await console.EventuallyFailedAsync();

        Assert.Equal("not_known", Step(answer, step).GetProperty("state").GetString());
    }

    private sealed class Refusing(string path, HttpStatusCode status) : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            request.RequestUri!.PathAndQuery.Contains(path, StringComparison.Ordinal)
                ? new(status) { Content = new StringContent("{}", null, "application/json") }
                : await base.SendAsync(request, cancellationToken);
    }

    [Fact]
    public async Task An_unknown_FreeScout_user_fails_its_check_and_stops_no_ticket()
    {
        await using var console = await StartAsync(new() { ["FREESCOUT_USER_ID"] = "99" });

        var answer = await console.EventuallyFailedAsync("user_id");

        Assert.StartsWith("DMs and tickets are ready. But: FreeScout has no user 99", VerdictOf(answer), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("invalid_auth", "token_rejected")]
    [InlineData("is_archived", "channel_gone")]
    [InlineData("ratelimited", "rate_limited")]
    [InlineData("missing_scope", "scope_missing")]
    [Trait("Pitfall", "T-37")]
    public async Task A_DM_that_fails_has_its_own_cause_and_affects_no_ticket(string error, string word)
    {
        await using var console = await StartAsync();
        using var failing = console.Sandbox.Faults.Add(Fault.SlackError(error));
        await console.RaiseAsync(AlertDriver.Say());

        var answer = await console.EventuallyFailedWithAsync("last_dm", "DMs are not: Slack fails since ", $"({word}).");

        Assert.StartsWith($"{word}: ", Step(answer, "last_dm").GetProperty("seen").GetString(), StringComparison.Ordinal);
        await Eventually.TrueAsync(() => console.Sandbox.FreeScout.Conversations.Count == 1, "the ticket is filed");
    }

    [Fact]
    public async Task Unconfigured_Slack_is_a_warning_that_the_verdict_names()
    {
        await using var console = await StartAsync(new() { ["SLACK_BOT_TOKEN"] = null });

        var answer = await console.EventuallyInAsync(["last_dm"], "failed", "warning");

        Assert.EndsWith("DMs are not: Slack is not set up.", VerdictOf(answer), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_FreeScout_that_rejects_tickets_fails_the_last_ticket_check()
    {
        await using var console = await StartAsync();
        using var failing = console.Sandbox.Faults.Add(
            new(FaultKind.Status)
            {
                Match = FaultMatch.FreeScoutCreate,
                StatusCode = 422,
                Body = """{"message":"The customer is on fire"}""",
            }
        );
        await console.RaiseAsync(AlertDriver.Say());
        await Eventually.TrueAsync(
            async () =>
                Step(await console.AskAsync(), "last_dm")
                    .GetProperty("seen")
                    .GetString()!
                    .StartsWith("The last DM was sent", StringComparison.Ordinal),
            "the DM is recorded"
        );

        var answer = await console.EventuallyFailedWithAsync(
            "last_ticket",
            "DMs are being sent, tickets are not: FreeScout answers but takes no ticket since "
        );

        Assert.Contains("The customer is on fire", Step(answer, "last_ticket").GetProperty("seen").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_FreeScout_that_rejects_the_other_ticket_of_an_alert_fails_the_last_ticket_check()
    {
        await using var console = await StartAsync();
        await console.RaiseAsync(AlertDriver.Say());
        await using var db = console.Database.Open();
        await Eventually.TrueAsync(() => db.AlertDeliveries.AnyAsync(delivery => delivery.TicketId != null), "the ticket is recorded");
        console.Sandbox.FreeScout.Close(console.Sandbox.FreeScout.Conversations[0].Id);
        using var failing = console.Sandbox.Faults.Add(
            new(FaultKind.Status)
            {
                Match = FaultMatch.FreeScoutCreate,
                StatusCode = 422,
                Body = """{"message":"The customer is on fire"}""",
            }
        );

        await console.RaiseAsync(AlertDriver.Say(severity: Severity.P1));

        await console.EventuallyFailedWithAsync("last_ticket", "tickets are not: FreeScout answers but takes no ticket since ");
    }

    [Theory]
    [InlineData(DecisionSources.Ticket, "tickets are not: the hook ticket is missing.")]
    [InlineData(DecisionSources.Slack, "DMs are not: the hook slack is missing.")]
    public async Task A_hook_that_is_not_registered_fails_its_check_at_the_start(string hook, string verdict)
    {
        await using var console = await StartAsync(services: services =>
            services.Remove(
                services.Single(service =>
                    service.ServiceType == typeof(IAlertHook)
                    && service.ImplementationType
                        == (hook == DecisionSources.Ticket ? typeof(TicketAlertHook) : typeof(AutoTicket.Slack.SlackAlertHook))
                )
            )
        );

        var answer = await console.EventuallyFailedAsync("hooks");

        Assert.EndsWith(verdict, VerdictOf(answer), StringComparison.Ordinal);
        await Eventually.TrueAsync(
            async () => await console.Host.Http.GetStringAsync(new Uri("/healthz/ready", UriKind.Relative)) == "Degraded",
            "the health check sees no leader either"
        );
        Assert.Contains(
            console.Host.Log,
            line =>
                line.StartsWith("WARNING", StringComparison.Ordinal)
                && line.Contains($"hook={hook} is not registered", StringComparison.Ordinal)
        );
    }

    /// <param name="hours">When the lease of a process that is gone ends: also in the future, if the clock was put back.</param>
    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public async Task Without_a_leader_the_check_fails_and_stops_tickets_and_DMs(int hours)
    {
        var until = TimeProvider.System.GetUtcNow().AddHours(hours);
        await using var console = await StartAsync();
        await using (var db = console.Database.Open())
        {
            await db.Leases.ExecuteUpdateAsync(set =>
                set.SetProperty(lease => lease.Owner, "gone/1").SetProperty(lease => lease.Until, until)
            );
            await db.Database.ExecuteSqlRawAsync("CREATE TRIGGER nobody BEFORE UPDATE ON leases BEGIN SELECT RAISE(IGNORE); END");
        }

        var answer = await console.EventuallyFailedAsync("leader");

        Assert.Equal("Neither DMs nor tickets are being sent: no process leads.", VerdictOf(answer));
        await Eventually.TrueAsync(
            async () => await console.Host.Http.GetStringAsync(new Uri("/healthz/ready", UriKind.Relative)) == "Degraded",
            "the health check sees no leader either"
        );
    }

    [Fact]
    [Trait("Pitfall", "T-62")]
    public async Task A_process_that_ignores_a_flag_change_fails_its_check_after_thirty_seconds()
    {
        var clock = new StillClock();
        await using var console = await StartAsync(clock: clock);
        await DisagreeAsync(console.Database, clock.GetUtcNow());
        await Eventually.TrueAsync(
            () => console.Host.Get<AutoTicket.Diagnostics.FlagAgreement>().Late() is [_, ..],
            "the check sees two different values"
        );
        clock.Advance(AutoTicket.Diagnostics.PipelineDiagnostics.Fresh);
        Assert.Equal("warning", Step(await console.AskAsync(), "flags").GetProperty("state").GetString());
        await console.EventuallyFailedAsync();
        clock.Advance(TimeSpan.FromSeconds(31));
        // The lease must be renewed, and an answer is cached for two seconds of the clock.
        using var running = clock.Run();

        var answer = await console.EventuallyFailedAsync("flags");

        Assert.Contains("but not in elsewhere/7.", Step(answer, "flags").GetProperty("seen").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_verdict_names_a_flag_that_is_off()
    {
        await using var console = await StartAsync(new() { [FlagNames.AlertsAutoTicket] = null });

        var answer = await console.EventuallyInAsync(["flags"], "failed", "warning");

        Assert.EndsWith($"tickets are not: {FlagNames.AlertsAutoTicket} is off.", VerdictOf(answer), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_clock_that_differs_from_FreeScouts_is_a_warning()
    {
        await using var console = await StartAsync(clock: new AheadClock());

        var answer = await console.EventuallyInAsync(["clock"], "failed", "warning");

        Assert.Contains("s ahead of FreeScout's.", Step(answer, "clock").GetProperty("seen").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unstable_producer_is_a_warning()
    {
        await using var console = await StartAsync();
        foreach (var id in new[] { "a", "b", "c" })
        {
            await console.RaiseAsync(AlertDriver.Say(id: id));
        }

        var answer = await console.EventuallyInAsync(["unstable_producers"], "failed", "warning");

        Assert.StartsWith(
            "test changes the id of its alert disk_full: 3 ids so far",
            Step(answer, "unstable_producers").GetProperty("seen").GetString(),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Concurrent_diagnostics_call_FreeScout_once()
    {
        var clock = new StillClock();
        await using var console = await StartAsync(clock: clock);
        var before = Probes();
        await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => console.AskAsync()));
        await console.AskAsync();
        Assert.Equal(before + 1, Probes());

        clock.Advance(AutoTicket.Diagnostics.PipelineDiagnostics.Fresh);
        await console.AskAsync();
        Assert.Equal(before + 2, Probes());

        int Probes() =>
            console.Sandbox.FreeScout.RecordedRequests.Count(request =>
                request.PathAndQuery.EndsWith("/mailboxes?page=1&pageSize=1", StringComparison.Ordinal)
            );
    }

    [Fact]
    public async Task A_plain_http_address_of_another_machine_is_a_warning()
    {
        await using var console = await StartAsync(
            new()
            {
                ["SLACK_BASE_URL"] = "http://slack.example.org/api/",
                ["FALLBACK_WEBHOOK_URL"] = "http://hooks.example.org/canary-path",
            }
        );

        var step = Step(await console.AskAsync(), "encryption");

        Assert.Equal("warning", step.GetProperty("state").GetString());
        Assert.Contains("SLACK_BASE_URL, FALLBACK_WEBHOOK_URL", step.GetProperty("seen").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("canary-path", step.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tripped_flood_breaker_fails_its_check()
    {
        await using var console = await StartAsync(new() { ["Ticketing:FloodBudget"] = "1" });
        await console.RaiseAsync(
            AlertDriver.Say("one"),
            AlertDriver.Say("two", source: "another"),
            AlertDriver.Say("three", source: "third")
        );

        var answer = await console.EventuallyFailedAsync("flood_breaker");

        Assert.Contains("tickets are not: the flood breaker tripped at ", VerdictOf(answer), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_unreachable_or_hanging_database_fails_its_check_and_delays_no_answer(bool hangs)
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        await using var sandbox = await SandboxServer.StartAsync();
        await using var host = await ConsoleHost.StartAsync(
            sandbox: sandbox,
            settings: new Dictionary<string, string?>
            {
                ["DATABASE_URL"] = line.Through(database.Location),
                ["AUTOTICKET_SQLITE_PATH"] = null,
                ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
            }
        );
        await Eventually.TrueAsync(() => host.Get<AutoTicket.Data.LeaderLease>().IsLeader, "the console leads");
        var diagnostics = host.Get<AutoTicket.Diagnostics.PipelineDiagnostics>();
        await Eventually.TrueAsync(
            async () =>
                (await diagnostics.RunToEndAsync(default)).Steps.All(step => step.State != AutoTicket.Diagnostics.DiagnosticState.Failed),
            "no check has failed yet"
        );
        if (hangs)
        {
            line.Stall();
        }
        else
        {
            line.Cut();
        }

        var cut = TimeProvider.System.GetUtcNow();
        AutoTicket.Diagnostics.DiagnosticReport report = null!;
        await Eventually.TrueAsync(
            async () =>
            {
                var begun = Stopwatch.GetTimestamp();
                report = await diagnostics.RunToEndAsync(default);
                Assert.InRange(Stopwatch.GetElapsedTime(begun), TimeSpan.Zero, Generous);
                var failed = report
                    .Steps.Where(step => step.State == AutoTicket.Diagnostics.DiagnosticState.Failed)
                    .Select(step => step.Key)
                    .ToList();
                return report.CheckedAt >= cut && failed is ["database"] or ["database", "leader"];
            },
            "the next answer came in time, and only the database has failed, or the lease has expired meanwhile"
        );
        Assert.Contains("tickets are not: the console's database can't be reached.", report.Verdict, StringComparison.Ordinal);
        line.Restore();
    }

    [Fact]
    public async Task Finished_checks_are_known_while_another_hangs()
    {
        await using var console = await StartAsync();
        using var failing = console.Sandbox.Faults.Add(new(FaultKind.HangBefore) { Match = FaultMatch.FreeScout });
        var order = new List<int>();

        var diagnostics = console.Host.Get<AutoTicket.Diagnostics.PipelineDiagnostics>();
        await foreach (var report in diagnostics.RunAsync())
        {
            order.Add(report.Steps.Count);
            if (report.Steps.Count == 1)
            {
                Assert.NotEqual("freescout_answers", report.Steps[0].Key);
            }
        }

        Assert.Equal(Enumerable.Range(1, diagnostics.Steps.Count), order);
    }

    /// <summary>The flag was switched off at a given time, and another live process still reports it as on.</summary>
    internal static async Task DisagreeAsync(TestDatabase database, DateTimeOffset changedAt)
    {
        await using var db = database.Open();
        await db.FeatureFlags.Where(flag => flag.Name == FlagNames.AlertsAutoTicket).ExecuteDeleteAsync();
        db.FeatureFlags.Add(
            new FlagRow
            {
                Name = FlagNames.AlertsAutoTicket,
                Enabled = true,
                ChangedBy = "ops",
                ChangedAt = changedAt,
                Reason = "a test",
                Environment = "on",
                Version = 1,
            }
        );
        db.FlagAcks.Add(
            new FlagAckRow
            {
                Instance = "elsewhere/7",
                Name = FlagNames.AlertsAutoTicket,
                Enabled = false,
                At = changedAt.AddHours(1),
            }
        );
        await db.SaveChangesAsync();
    }

    private sealed class AheadClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddMinutes(10);
    }
}
