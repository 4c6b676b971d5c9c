using System.Net;
using System.Text.RegularExpressions;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Tickets;

/// <summary>While FreeScout fails, a click is answered in time with 200 and a sentence that says what to do.</summary>
public sealed class DegradedClickTests
{
    private static readonly TimeSpan Budget = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(3);

    [Theory]
    [Trait("Pitfall", "T-31")]
    [InlineData("500", "failed with 500")]
    [InlineData("502", @"is down \(502")]
    [InlineData("503", @"is down \(503")]
    [InlineData("504", @"is down \(504")]
    [InlineData("hang", "did not answer in time|slow")]
    [InlineData("slow", "did not answer in time|slow")]
    [InlineData("reset", "can't be reached")]
    [InlineData("closed", "can't be reached")]
    [InlineData("unknown host", "can't be reached.*FREESCOUT_BASE_URL")]
    [InlineData("tls", "can't be reached.*FREESCOUT_BASE_URL")]
    [InlineData("refused", "can't be reached.*FREESCOUT_BASE_URL")]
    [InlineData("401", "rejected the API key.*401.*Set a new FREESCOUT_API_KEY")]
    [InlineData("403", "403, “Forbidden”.*scope.*Manage → API & Webhooks")]
    [InlineData("403 page", "proxy or firewall in front of FreeScout.*403, “Just a moment...”")]
    [InlineData("403 host", "does not serve the host of FREESCOUT_BASE_URL.*403, “Untrusted Host: 127.0.0.1.*APP_URL")]
    [InlineData("404 json", "404.*module is off, or FREESCOUT_BASE_URL is wrong")]
    [InlineData("404 html", "404.*module is off, or FREESCOUT_BASE_URL is wrong")]
    [InlineData("404 mailbox", "mailbox was deleted, or FREESCOUT_OPERATIONS_MAILBOX_ID is wrong")]
    [InlineData("429", "asks for a pause|asked for a pause")]
    [InlineData("truncated", "can't be reached")]
    [InlineData("login page", "login page.*Check FREESCOUT_BASE_URL")]
    [InlineData("redirect", "redirects.*Check FREESCOUT_BASE_URL")]
    [InlineData("wrong json", "without saying which ticket it created|not a list")]
    [InlineData("huge", "more than 2 MB")]
    public async Task A_click_is_answered_in_time_and_says_what_is_wrong(string failure, string expected)
    {
        await using var plain = new RawServer("HTTP/1.1 400 Bad Request\nContent-Length: 0\nConnection: close\n\n");
        var settings = new Dictionary<string, string?>
        {
            ["Ticketing:ClickBudget"] = Budget.ToString("c"),
            ["FreeScout:CallTimeout"] = CallTimeout.ToString("c"),
        };
        var address = failure switch
        {
            "unknown host" => "http://nope.invalid",
            "refused" => $"http://127.0.0.1:{LoopbackPort.Next()}",
            "tls" => $"https://127.0.0.1:{plain.Url.Port}",
            _ => null,
        };
        if (address is not null)
        {
            settings["FREESCOUT_BASE_URL"] = address;
        }

        var clock = new StillClock();
        await using var driver = await InvestigateDriver.StartAsync(settings: settings, clock: clock);
        if (address is null)
        {
            // Wait for the console's own calls, because their failures would open the circuit before the click.
            await Eventually.TrueAsync(
                async () => (await driver.Console.Get<FindingStore>().ReadAsync(default)).ReconciledAt is not null,
                "the open tickets were read and compared"
            );
        }

        Break(driver, failure);

        var clicking = driver.ClickAsync();
        if (failure is "hang" or "slow")
        {
            await Eventually.TrueAsync(() => driver.FreeScout.CreatesInFlight == 1, "FreeScout is asked");
            clock.Advance(CallTimeout);
            await Eventually.TrueAsync(
                () => driver.Console.Log.Any(line => line.Contains(" freescout degraded ", StringComparison.Ordinal)),
                "the call to FreeScout times out"
            );
            clock.Advance(Budget - CallTimeout);
        }

        // The clock stands still, so no timeout of the console can end the click.
        var click = await clicking.WaitAsync(Eventually.Patience);

        Assert.Equal(("degraded", true, null), (click.Disposition, click.Degraded, click.Ticket));
        Assert.Matches(new Regex(expected), click.Message);
        Assert.Contains(
            driver.Console.Log,
            line => line.StartsWith("WARNING", StringComparison.Ordinal) && line.Contains(" freescout degraded ", StringComparison.Ordinal)
        );
        Assert.Contains(
            driver.Console.Log,
            line => line.StartsWith("WARNING", StringComparison.Ordinal) && Regex.IsMatch(line, " ticket .*failed")
        );
        Assert.DoesNotContain(
            driver.Console.Log,
            line => line.Contains("Exception:", StringComparison.Ordinal) || line.Contains("   at ", StringComparison.Ordinal)
        );
        Assert.Empty(await driver.FilingsAsync());
    }

    [Fact]
    [Trait("Pitfall", "T-34")]
    public async Task A_rejected_key_a_missing_scope_a_missing_mailbox_and_a_refusal_are_told_apart()
    {
        await using var driver = await InvestigateDriver.StartAsync(surfaces: ["key", "scope", "mailbox", "refused"]);
        var messages = new List<string>();
        static string Refusal(string path, string message) =>
            $$$"""
                {"message":"Error occurred","_embedded":{"errors":[{"path":"{{{path}}}","message":"{{{message}}}","source":"JSON"}]}}
                """;

        foreach (
            var (surface, fault) in new Dictionary<string, Fault>
            {
                ["key"] = new(FaultKind.Unauthorized),
                ["scope"] = new(FaultKind.Forbidden),
                ["mailbox"] = new(FaultKind.Status) { StatusCode = 400, Body = Refusal("mailboxId", "Mailbox not found.") },
                ["refused"] = new(FaultKind.Status) { StatusCode = 400, Body = Refusal("subject", "Subject is required.") },
            }
        )
        {
            using (driver.Sandbox.Faults.Add(fault with { Match = FaultMatch.FreeScoutCreate }))
            {
                messages.Add((await driver.ClickAsync(surface)).Message);
            }
        }

        Assert.Collection(
            messages,
            key => Assert.Contains("FREESCOUT_API_KEY", key, StringComparison.Ordinal),
            scope => Assert.Contains("scope", scope, StringComparison.Ordinal),
            mailbox => Assert.Contains("FREESCOUT_OPERATIONS_MAILBOX_ID", mailbox, StringComparison.Ordinal),
            refused => Assert.Contains("Subject is required.", refused, StringComparison.Ordinal)
        );
    }

    [Theory]
    [Trait("Pitfall", "T-31")]
    [InlineData(FaultKind.Status)]
    [InlineData(FaultKind.Unauthorized)]
    [InlineData(FaultKind.HtmlLogin)]
    public async Task While_FreeScout_is_down_a_click_names_the_ticket_that_was_open_and_files_no_other(FaultKind kind)
    {
        await using var driver = await InvestigateDriver.StartAsync();
        var ticket = (await driver.ClickAsync()).Ticket!;
        using (driver.Sandbox.Faults.Add(new Fault(kind) { Match = FaultMatch.FreeScout }))
        {
            var click = await driver.ClickAsync();
            Assert.True(click.Degraded);
            Assert.Contains($"Ticket #{ticket.Number} was open when last seen.", click.Message, StringComparison.Ordinal);
        }

        Assert.Equal(ticket.Id, (await driver.ClickUntilThereIsATicketAsync()).Ticket!.Id);
        await driver.AssertOneTicketAsync();
    }

    [Fact]
    public async Task A_ticket_last_seen_closed_is_not_said_to_have_been_open()
    {
        var clock = new StillClock();
        await using var driver = await InvestigateDriver.StartAsync(clock: clock);
        var ticket = (await driver.ClickAsync()).Ticket!;
        driver.FreeScout.Close(ticket.Id);
        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(30),
            async () => (await driver.RowsAsync()).Single().State == TicketState.Closed,
            "the sync sees it closed"
        );
        driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScout });

        var click = await driver.ClickAsync();

        Assert.True(click.Degraded);
        Assert.DoesNotContain("was open", click.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task While_FreeScout_is_down_a_click_names_the_open_ticket_and_not_a_closed_one()
    {
        await using var driver = await InvestigateDriver.StartAsync();
        var open = (await driver.ClickAsync()).Ticket!;
        await using (var db = driver.Database.Open())
        {
            // The surface also has a later ticket, which is closed.
            var row = await db.Tickets.AsNoTracking().SingleAsync();
            db.Tickets.Add(
                row with
                {
                    Id = 0,
                    ConversationId = 4_711,
                    Number = 4_711,
                    State = TicketState.Closed,
                    Marker = "at-closed0000",
                    ClosedAt = row.PostedAt,
                }
            );
            await db.SaveChangesAsync();
        }

        using var down = driver.Sandbox.Faults.Add(new Fault(FaultKind.Status) { Match = FaultMatch.FreeScout });

        foreach (var _ in Enumerable.Range(0, 6))
        {
            // The first clicks open the circuit.
            Assert.Contains(
                $"Ticket #{open.Number} was open when last seen.",
                (await driver.ClickAsync()).Message,
                StringComparison.Ordinal
            );
        }
    }

    /// <summary>Every claim takes the next id, even if it is released at once.</summary>
    [Fact]
    public async Task A_click_takes_no_claim_while_FreeScout_asks_for_a_pause()
    {
        var clock = new StillClock();
        await using var driver = await InvestigateDriver.StartAsync(clock: clock);
        await driver.WaitForFirstSyncAsync();
        driver.Console.Get<FreeScoutHealth>().Hold(clock.GetUtcNow().AddSeconds(30));
        for (var click = 0; click < 3; click++)
        {
            Assert.True((await driver.ClickAsync()).Degraded);
        }

        clock.Advance(TimeSpan.FromSeconds(31));

        Assert.Equal("filed", (await driver.ClickAsync()).Disposition);
        Assert.Equal(1, Assert.Single(await driver.RowsAsync()).Id);
    }

    [Fact]
    public async Task A_click_while_the_database_hangs_is_answered_within_six_seconds()
    {
        var clock = new StillClock { LongestShortTimeout = TimeSpan.FromSeconds(6) };
        await using var sandbox = await SandboxServer.StartAsync(new SandboxSettings { Clock = clock });
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var line = TcpProxy.To(database.Location);
        sandbox.Surface("pay").Answer(503);
        // The severity is below the threshold, so that no alert writes a decision.
        var settings = ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url, severity: "P3");
        settings["DATABASE_URL"] = line.Through(database.Location);
        await using var console = await ConsoleHost.StartAsync(database, sandbox, settings, clock);
        await Eventually.TrueAsync(() => console.Get<StatusBoard>().Find("pay")!.Status == SurfaceStatus.Down, "the surface is down");
        line.Stall();

        var clicking = console.Get<Investigator>().InvestigateAsync("pay", "test");
        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(6),
            () => Task.FromResult(clicking.IsCompleted),
            "the click is answered",
            TimeSpan.FromMilliseconds(500)
        );

        Assert.Equal(InvestigationDisposition.Degraded, (await clicking).Disposition);
        // The database timeout comes seconds later, and only then the write of the decision fails.
        Assert.DoesNotContain(console.Log, line => line.Contains("decisions can't be recorded", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_click_before_the_flags_were_read_is_unavailable_and_the_flag_is_not_called_off()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        sandbox.Surface("pay").Answer(503);
        await using var db = database.Open();
        await using var transaction = await db.BeginAsync(default);
        await db.Database.ExecuteSqlAsync($"LOCK TABLE feature_flags IN ACCESS EXCLUSIVE MODE");
        await using var console = await ConsoleHost.StartAsync(
            database,
            sandbox,
            ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url)
        );

        using (var unread = await console.Http.PostAsync("/api/surfaces/pay/investigate", null))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, unread.StatusCode);
            Assert.Contains("could not read its flags", await unread.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        await transaction.RollbackAsync();
        await console.WaitForFlagsAsync();
        using var read = await console.Http.PostAsync("/api/surfaces/pay/investigate", null);
        Assert.Equal(HttpStatusCode.OK, read.StatusCode);
    }

    private static void Break(InvestigateDriver driver, string failure)
    {
        if (failure == "403 host")
        {
            driver.FreeScout.AppHost = "tickets.example.org";
        }

        Fault? fault = failure switch
        {
            "403 page" => new(FaultKind.Forbidden) { Body = "<html><head><title>Just a moment...</title></head></html>" },
            "hang" => new(FaultKind.HangBefore),
            "slow" => new(FaultKind.Delay) { Delay = TimeSpan.FromSeconds(10) },
            "reset" => new(FaultKind.ResetBefore),
            "closed" => new(FaultKind.CloseBefore),
            "401" => new(FaultKind.Unauthorized),
            "403" => new(FaultKind.Forbidden),
            "404 json" => new(FaultKind.ModuleOff),
            "404 html" => new(FaultKind.ModuleOffHtml),
            "404 mailbox" => new(FaultKind.Status) { StatusCode = 404, Body = """{"message":"Mailbox not found"}""" },
            "429" => new(FaultKind.RateLimited) { RetryAfter = 30 },
            "truncated" => new(FaultKind.TornJson),
            "login page" => new(FaultKind.HtmlLogin),
            "redirect" => new(FaultKind.Redirect),
            "wrong json" => new(FaultKind.WrongJson),
            "huge" => new(FaultKind.HugeBody),
            _ when int.TryParse(failure, out var status) => new(FaultKind.Status) { StatusCode = status },
            _ => null,
        };
        if (fault is not null)
        {
            driver.Sandbox.Faults.Add(fault with { Match = FaultMatch.FreeScout });
        }
    }
}
