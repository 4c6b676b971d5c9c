using System.Diagnostics;
using System.Net;
using System.Text.Json;
using AutoTicket.Flags;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Processes;

/// <summary>One replica's line to the database is cut, stalled and restored; the other's is not.</summary>
public sealed class DatabaseAwayTests(DatabaseAwayTests.CutOff consoles) : IClassFixture<DatabaseAwayTests.CutOff>
{
    [Fact]
    [Trait("Pitfall", "T-61")]
    public async Task While_the_line_is_cut_the_board_and_the_flags_go_on_and_clicks_say_so_and_all_recovers_by_itself()
    {
        await consoles.Other.SetFlagAsync(FlagNames.AlertsAutoTicket, enabled: false);
        await Eventually.TrueAsync(async () => !await consoles.Console.IsOnAsync(FlagNames.AlertsAutoTicket), "both know the flag");
        await consoles.ConnectedAsync();

        consoles.Line.Cut();
        var click = await consoles.Console.InvestigateAsync("cut");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, click.Status);
        Assert.Equal("application/problem+json", click.Message.Content.Headers.ContentType?.MediaType);
        await Eventually.TrueAsync(() => consoles.IsStaleAsync(), "the flags are marked stale");
        Assert.True(await consoles.Console.IsOnAsync(FlagNames.InvestigateFromStatus));
        Assert.Equal(
            HttpStatusCode.ServiceUnavailable,
            (await consoles.Console.SetFlagAsync(FlagNames.AlertsAutoTicket, enabled: true)).Status
        );
        Assert.Equal(HttpStatusCode.OK, (await consoles.Console.GetAsync("/console/status")).Status);
        var asked = consoles.All.Sandbox.Surface("cut").RequestCount;
        await Eventually.TrueAsync(() => consoles.All.Sandbox.Surface("cut").RequestCount > asked + 2, "the probes go on");
        await consoles.EventuallyReadyAsync(false);
        Assert.Equal(HttpStatusCode.OK, (await consoles.Console.GetAsync("/healthz/live")).Status);

        await consoles.Other.SetFlagAsync(FlagNames.AlertsAutoTicket, enabled: true);
        consoles.Line.Restore();

        await Eventually.TrueAsync(
            async () => await consoles.Console.IsOnAsync(FlagNames.AlertsAutoTicket) && !await consoles.IsStaleAsync(),
            "the flags are read again"
        );
        await consoles.EventuallyReadyAsync(true);
        await consoles.All.AssertOneTicketAsync("cut", consoles.Console, consoles.Other);
    }

    [Fact]
    [Trait("Pitfall", "T-12")]
    public async Task Cut_between_the_creation_and_its_record_the_ticket_is_adopted_and_not_filed_again()
    {
        await consoles.ConnectedAsync();
        var slow = consoles.All.Sandbox.Faults.Add(new(FaultKind.Delay) { Match = FaultMatch.FreeScoutCreate });
        var click = consoles.Console.InvestigateAsync("record");
        await Eventually.TrueAsync(() => consoles.All.Sandbox.FreeScout.CreatesInFlight == 1, "FreeScout has the request");

        consoles.Line.Cut();
        slow.Dispose();

        var answer = await click;
        Assert.Equal("filed", answer.Disposition);
        Assert.Equal(consoles.All.TicketsOf("record").Single().Id, answer.Ticket);
        consoles.Line.Restore();
        await consoles.All.AssertOneTicketAsync("record", consoles.Console, consoles.Other);
        Assert.Equal(1, consoles.All.PostsFor("record"));
    }

    [Fact]
    public async Task A_database_that_hangs_makes_a_click_wait_for_seconds_at_most()
    {
        await consoles.ConnectedAsync();
        consoles.Line.Stall();

        var started = Stopwatch.GetTimestamp();
        var click = await consoles.Console.InvestigateAsync("stall");

        // It gives up on the database, or on waiting for it, whichever comes first.
        Assert.True(click.Status == HttpStatusCode.ServiceUnavailable || click.Disposition == "degraded", $"{click.Status} {click.Text}");
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(25));
        Assert.Equal(HttpStatusCode.OK, (await consoles.Console.GetAsync("/api/status")).Status);
        consoles.Line.Restore();
        await consoles.All.AssertOneTicketAsync("stall", consoles.Console, consoles.Other);
    }

    /// <summary>A console behind a line that can be cut, and one with a line of its own.</summary>
    public sealed class CutOff : IAsyncLifetime
    {
        public Consoles All { get; private set; } = null!;

        public TcpProxy Line { get; private set; } = null!;

        internal ConsoleHost Console { get; private set; } = null!;

        internal ConsoleHost Other { get; private set; } = null!;

        public async Task InitializeAsync()
        {
            All = await Consoles.CreateAsync("cut", "record", "stall");
            Line = TcpProxy.To(All.Database.Location);
            Console = await All.StartHostAsync(new Dictionary<string, string> { ["DATABASE_URL"] = Line.Through(All.Database.Location) });
            Other = await All.StartHostAsync();
        }

        public async Task<bool> IsStaleAsync() => (await Console.GetAsync("/api/flags")).Body.GetProperty("stale").GetBoolean();

        /// <summary>Also after a test that broke off in an outage.</summary>
        public Task ConnectedAsync()
        {
            Line.Restore();
            return EventuallyReadyAsync(true);
        }

        public Task EventuallyReadyAsync(bool ready) =>
            Eventually.TrueAsync(
                async () =>
                    (await Console.GetAsync("/healthz/ready")).Status == (ready ? HttpStatusCode.OK : HttpStatusCode.ServiceUnavailable),
                ready ? "it is ready" : "it is not ready"
            );

        public async Task DisposeAsync()
        {
            await All.DisposeAsync();
            await Line.DisposeAsync();
        }
    }
}
