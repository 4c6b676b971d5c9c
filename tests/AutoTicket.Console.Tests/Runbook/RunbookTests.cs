using System.Net;
using System.Text.RegularExpressions;
using AutoTicket.Alerts;
using AutoTicket.Flags;
using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using AutoTicket.Tests.Alerts;
using AutoTicket.Tests.Processes;

namespace AutoTicket.Tests;

/// <summary>
/// What the operators' runbook greps, queries and expects, checked against the real console's output.
/// One class per failure mode, in the runbook's order: TicketFlood, NoTickets, RecoveredButOpen, FreeScoutDown; then Escalation.
/// </summary>
public static partial class RunbookTests
{
    private const string Normal = "freescout|auto_ticket|investigate|ticket_filed";
    private const string Degraded = "freescout.*degraded|freescout.*WARNING|ticket.*failed";
    private const string Errors = "freescout|ticket|HTTPError|ConnectionError";

    /// <summary>The name of the second surface has a line break and a forged log line.</summary>
    private static readonly Dictionary<string, string> Forging = new()
    {
        ["Surfaces__1__Name"] = "mail\n2026-01-01T00:00:00.000Z ERROR forged ticket_filed Surface mail",
    };

    private static void AssertNothingForged(ConsoleProcess console) =>
        Assert.DoesNotContain(
            console.Output.ToList(),
            line => line.Contains(" ERROR forged", StringComparison.Ordinal) && LogLine.Parse(line)?.Level == "ERROR"
        );

    private static async Task<IntakeHost> StartIntakeAsync(TimeProvider? clock = null) =>
        await IntakeHost.StartAsync(
            Database.Postgres,
            new() { [FlagNames.AlertsAutoTicket] = "1", ["Ticketing:Grace"] = clock is null ? null : "00:00:05" },
            clock: clock
        );

    private static async Task<AlertView> ReadAlertAsync(ConsoleHost console, string name)
    {
        var found = await console.Get<AlertQueries>().ReadAsync(new AlertQuery(Search: name), 10, default);
        return Assert.Single(found!, alert => alert.Name == name);
    }

    /// <summary>Alerts that fire while FreeScout has this fault: a DM each, no ticket, and a verdict that names the missing half.</summary>
    private static async Task AssertTheDmFiresWithoutATicketAsync(FaultKind kind, string why)
    {
        var clock = new StillClock(TimeProvider.System.GetUtcNow());
        using var running = clock.Run();
        await using var intake = await StartIntakeAsync(clock);
        var sandbox = intake.Console.Sandbox;
        var fault = sandbox.Faults.Add(new(kind) { Match = FaultMatch.FreeScout });
        await SendAsync("ends", "firing");
        await SendAsync("stays", "firing");

        await Eventually.TrueAsync(() => sandbox.Slack.Messages.Count == 2, "both DMs fire");
        await Eventually.TrueAsync(
            async () => (await VerdictAsync("stays")).StartsWith($"DM sent. No ticket: {why}", StringComparison.Ordinal),
            "step 4 of the chain shows its verdict"
        );
        Assert.Equal(
            2,
            intake.Console.Log.Count(line =>
                line.Contains("alert_aggregator emit alert_key=", StringComparison.Ordinal)
                && line.Contains("hook=slack", StringComparison.Ordinal)
            )
        );
        var degraded = intake.Console.Log.Where(line => Regex.IsMatch(line, Degraded, RegexOptions.IgnoreCase)).ToList();
        Assert.NotEmpty(degraded);
        Assert.All(
            degraded.Where(line => !line.StartsWith("INFO", StringComparison.Ordinal)),
            line => Assert.StartsWith("WARNING", line, StringComparison.Ordinal)
        );

        // No ticket is filed for an alert that ended during the outage. The other alert is still active.
        await SendAsync("ends", "resolved");
        fault.Dispose();
        await intake.Console.Get<MailboxWatch>().RefreshAsync(default);
        clock.Advance(TimeSpan.FromMinutes(1));
        await Eventually.TrueAsync(
            async () => (await ReadAlertAsync(intake.Console, "stays")).Ticket is not null,
            "the active alert has its ticket (a key without the write scope is tried once a minute)"
        );
        Assert.Contains("stays", Assert.Single(sandbox.FreeScout.Conversations).Subject, StringComparison.Ordinal);
        Assert.StartsWith("DM sent. No ticket", await VerdictAsync("ends"), StringComparison.Ordinal);

        async Task<string> VerdictAsync(string name) => (await ReadAlertAsync(intake.Console, name)).Verdict;

        async Task SendAsync(string name, string status)
        {
            var alert = $$"""{"name":"{{name}}","severity":"P2","summary":"It fails","status":"{{status}}"}""";
            Assert.Equal(HttpStatusCode.Accepted, (await intake.PostAsync("/api/alerts", alert)).Status);
        }
    }

    /// <summary>The runbook's first step for all failure modes: the log, filtered.</summary>
    public sealed class EveryFailureMode
    {
        [Fact]
        [Trait("Pitfall", "T-31")]
        public async Task The_grep_is_silent_while_no_ticket_is_created_and_then_shows_the_filing()
        {
            await using var consoles = await Consoles.CreateAsync("pay", "mail");
            var console = await consoles.StartAsync(Forging);
            var atStart = LogLine.Grep(console.Output, Normal);
            await Eventually.TrueAsync(() => consoles.Sandbox.Surface("pay").RequestCount > 2, "some poll cycles have passed");

            // A start logs which flags are on, and the flags' names contain the words that the grep looks for.
            Assert.All(atStart, line => Assert.Contains("flag in force", line, StringComparison.Ordinal));
            Assert.Equal(atStart, LogLine.Grep(console.Output, Normal));

            var ticket = (await console.InvestigateAsync("pay")).Ticket;
            var key = AlertIdentity.KeyOf(AlertIdentity.OfSurface("pay"));
            // The answer may arrive before the lines of the log, which come through a pipe.
            await Eventually.TrueAsync(
                () =>
                    LogLine
                        .Grep(console.Output, Normal)
                        .Any(line =>
                            LogLine.Parse(line) is { Level: "INFO", Message: var message }
                            && message.StartsWith("investigate surface=pay ", StringComparison.Ordinal)
                        ),
                "the click is in the log"
            );
            var filed = LogLine.Parse(Assert.Single(LogLine.Grep(console.Output, "ticket_filed")))!;
            Assert.Equal("INFO", filed.Level);
            Assert.StartsWith($"ticket_filed alert_key={key} severity=p2 conversation={ticket} ", filed.Message, StringComparison.Ordinal);
            Assert.Empty(LogLine.Grep(console.Output, Degraded));

            AssertNothingForged(console);
            LogLine.AssertNoErrors(console.Output.ToList());
        }
    }
}
