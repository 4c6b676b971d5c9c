using System.Net;
using System.Text.Json;
using AutoTicket.Sandbox;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

/// <summary>A process is killed (SIGKILL) at each step of a filing. The surviving console takes over the claim and finds the ticket, or
/// files it. It never files a second one.</summary>
public sealed class KilledFilerTests(KilledFilerTests.Survivor consoles) : IClassFixture<KilledFilerTests.Survivor>
{
    [Fact]
    [Trait("Pitfall", "T-4")]
    [Trait("Pitfall", "T-12")]
    public async Task Killed_between_create_and_commit_under_forty_clicks_leaves_one_ticket()
    {
        var doomed = await consoles.All.StartAsync(Consoles.Hasty);
        using var hang = consoles.Sandbox.Faults.Add(new(FaultKind.HangAfter) { Match = FaultMatch.FreeScoutCreate });
        var lost = await ClickAsync(
            doomed,
            "commit",
            () => consoles.All.TicketsOf("commit").Count == 1,
            "FreeScout has created the ticket"
        );
        var clicks = Enumerable
            .Range(0, 39)
            .Select(n => (n % 2 == 0 ? doomed : (IConsole)consoles.Console).InvestigateAsync("commit"))
            .ToList();

        await doomed.KillAsync();

        await AssertLostAsync(lost);
        foreach (var click in clicks.Where((_, n) => n % 2 == 1))
        {
            Assert.Equal(HttpStatusCode.OK, (await click).Status);
        }

        await Task.WhenAll(clicks.Select(click => click.ContinueWith(_ => { }, TaskScheduler.Default)));
        await consoles.All.AssertOneTicketAsync("commit", consoles.Console);
        Assert.Equal(1, consoles.All.PostsFor("commit"));
    }

    [Fact]
    public async Task A_claim_whose_filer_was_killed_before_the_post_is_taken_over_and_the_ticket_filed()
    {
        // The connection to FreeScout stalls, so the process claims but its post never arrives.
        await using var line = TcpProxy.To(consoles.Sandbox.Url.AbsoluteUri);
        var doomed = await consoles.All.StartAsync(
            new Dictionary<string, string>(Consoles.Hasty)
            {
                ["FREESCOUT_BASE_URL"] = line.Through(consoles.Sandbox.FreeScout.BaseUrl.AbsoluteUri),
            }
        );
        line.Stall();
        var lost = await ClickAsync(doomed, "claim", () => consoles.IsClaimedAsync("claim"), "the claim is taken");

        await doomed.KillAsync();
        line.Cut();

        await AssertLostAsync(lost);
        await consoles.EventuallySettledAsync("claim");
        Assert.Empty(consoles.All.TicketsOf("claim"));
        await consoles.All.AssertOneTicketAsync("claim", consoles.Console);
        Assert.Equal(1, consoles.All.PostsFor("claim"));
    }

    [Fact]
    [Trait("Pitfall", "T-12")]
    public async Task A_ticket_that_appears_after_its_filer_was_killed_is_adopted()
    {
        var doomed = await consoles.All.StartAsync(Consoles.Hasty);
        using var slow = consoles.Sandbox.Faults.Add(new(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate });
        var lost = await ClickAsync(doomed, "flight", () => consoles.Sandbox.FreeScout.CreatesInFlight == 1, "FreeScout has the request");

        await doomed.KillAsync();
        await AssertLostAsync(lost);
        Assert.Equal("degraded", (await consoles.Console.InvestigateAsync("flight")).Disposition);
        slow.Dispose();

        await consoles.All.AssertOneTicketAsync("flight", consoles.Console);
        Assert.Equal(1, consoles.All.PostsFor("flight"));
    }

    [Fact]
    public async Task A_ticket_whose_filer_was_killed_before_recording_it_is_adopted()
    {
        await using var line = TcpProxy.To(consoles.All.Database.Location);
        var doomed = await consoles.All.StartAsync(
            new Dictionary<string, string>(Consoles.Hasty) { ["DATABASE_URL"] = line.Through(consoles.All.Database.Location) }
        );
        using var slow = consoles.Sandbox.Faults.Add(new(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate });
        var lost = await ClickAsync(doomed, "reply", () => consoles.Sandbox.FreeScout.CreatesInFlight == 1, "FreeScout has the request");
        line.Stall();
        slow.Dispose();
        await Eventually.TrueAsync(() => consoles.Sandbox.FreeScout.CreatesInFlight == 0, "FreeScout has answered");

        await doomed.KillAsync();
        line.Cut();

        await AssertLostAsync(lost);
        await consoles.All.AssertOneTicketAsync("reply", consoles.Console);
        Assert.Equal(1, consoles.All.PostsFor("reply"));
    }

    [Fact]
    [Trait("Pitfall", "T-2")]
    public async Task A_killed_console_restarts_with_the_same_open_ticket_and_history()
    {
        var doomed = await consoles.All.StartAsync();
        long? ticket = null;
        await Eventually.TrueAsync(
            async () => (ticket = (await doomed.InvestigateAsync("restart")).Ticket) is not null,
            "a click names a ticket"
        );
        var since = (await consoles.StatusAsync(doomed, "restart")).GetProperty("since").GetDateTimeOffset();

        await doomed.KillAsync();
        var restarted = await consoles.All.StartHostAsync();

        Assert.Equal(ticket, (await restarted.InvestigateAsync("restart")).Ticket);
        var status = await consoles.StatusAsync(restarted, "restart");
        Assert.Equal("down", status.GetProperty("status").GetString());
        Assert.InRange(status.GetProperty("since").GetDateTimeOffset(), DateTimeOffset.MinValue, since);
        Assert.Equal(ticket, status.GetProperty("ticket").GetProperty("id").GetInt64());
        await consoles.All.AssertOneTicketAsync("restart", restarted, consoles.Console);
        Assert.Equal(1, consoles.All.PostsFor("restart"));
    }

    /// <summary>Clicks until a click has reached the step, and returns that click. On a busy machine the first click after a start may
    /// use up its budget before it claims.</summary>
    private static async Task<Task<Answer>> ClickAsync(ConsoleProcess console, string surface, Func<Task<bool>> isReached, string step)
    {
        var click = console.InvestigateAsync(surface);
        await Eventually.TrueAsync(
            async () =>
            {
                if (await isReached())
                {
                    return true;
                }

                if (click.IsCompletedSuccessfully)
                {
                    click = console.InvestigateAsync(surface);
                }

                return false;
            },
            step
        );
        return click;
    }

    private static Task<Task<Answer>> ClickAsync(ConsoleProcess console, string surface, Func<bool> isReached, string step) =>
        ClickAsync(console, surface, () => Task.FromResult(isReached()), step);

    /// <summary>The click has no answer. On a busy machine its budget may have expired before the kill.</summary>
    private static async Task AssertLostAsync(Task<Answer> click)
    {
        if (await Record.ExceptionAsync(() => click) is { } lost)
        {
            Assert.IsAssignableFrom<HttpRequestException>(lost);
        }
        else
        {
            Assert.Equal("degraded", (await click).Disposition);
        }
    }

    /// <summary>The console that is not killed.</summary>
    public sealed class Survivor : IAsyncLifetime
    {
        public Consoles All { get; private set; } = null!;

        internal ConsoleHost Console { get; private set; } = null!;

        public SandboxServer Sandbox => All.Sandbox;

        public async Task InitializeAsync()
        {
            All = await Consoles.CreateAsync("commit", "claim", "flight", "reply", "restart");
            Console = await All.StartHostAsync(Consoles.Hasty);
        }

        public async Task DisposeAsync() => await All.DisposeAsync();

        internal async Task<bool> IsClaimedAsync(string surface) => await StateAsync(surface) == TicketState.Filing;

        /// <summary>Waits until the survivor has taken over the claim and searched FreeScout for its marker.</summary>
        internal Task EventuallySettledAsync(string surface) =>
            Eventually.TrueAsync(async () => await StateAsync(surface) == TicketState.Unconfirmed, "the claim is taken over");

        internal async Task<JsonElement> StatusAsync(IConsole console, string surface)
        {
            JsonElement found = default;
            await Eventually.TrueAsync(
                async () =>
                {
                    var answer = await console.GetAsync("/api/status");
                    found = answer
                        .Body.GetProperty("surfaces")
                        .EnumerateArray()
                        .Single(row => row.GetProperty("key").GetString() == surface);
                    return found.GetProperty("status").GetString() == "down";
                },
                "the console shows the surface as down"
            );
            return found;
        }

        private async Task<TicketState?> StateAsync(string surface)
        {
            await using var db = All.Database.Open();
            return await db
                .Tickets.Where(ticket => ticket.SurfaceKey == surface)
                .Select(ticket => (TicketState?)ticket.State)
                .SingleOrDefaultAsync();
        }
    }
}
