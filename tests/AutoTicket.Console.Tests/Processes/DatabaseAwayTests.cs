using System.Diagnostics;
using System.Net;
using System.Text.Json;
using AutoTicket.Flags;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Processes;

/// <summary>One replica loses its connection to the database, the other keeps its own.</summary>
public sealed class DatabaseAwayTests(DatabaseAwayTests.CutOff consoles) : IClassFixture<DatabaseAwayTests.CutOff>
{
    [Fact]
    [Trait("Pitfall", "T-61")]
    public async Task While_the_database_is_unreachable_board_and_flags_keep_working_and_clicks_say_so()
    {
        await consoles.Other.SetFlagAsync(FlagNames.AlertsAutoTicket, enabled: false);
        await Eventually.TrueAsync(async () => !await consoles.Console.IsOnAsync(FlagNames.AlertsAutoTicket), "the console reads the flag");
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
    public async Task A_ticket_whose_record_was_cut_off_is_adopted_and_not_filed_again()
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

        // The command timeout answers 503, the click's budget answers “degraded”. Either may come first.
        Assert.True(click.Status == HttpStatusCode.ServiceUnavailable || click.Disposition == "degraded", $"{click.Status} {click.Text}");
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(35));
        Assert.Equal(HttpStatusCode.OK, (await consoles.Console.GetAsync("/api/status")).Status);
        consoles.Line.Restore();
        await consoles.All.AssertOneTicketAsync("stall", consoles.Console, consoles.Other);
    }

    /// <summary>A console whose database connection can be cut, and another with a direct connection.</summary>
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
            // Shorter than by default, because a ticket whose record was cut off is adopted only after that.
            var lease = new Dictionary<string, string> { ["Ticketing__Lease"] = "00:00:22" };
            Console = await All.StartHostAsync(
                new Dictionary<string, string>(lease) { ["DATABASE_URL"] = Line.Through(All.Database.Location) }
            );
            Other = await All.StartHostAsync(lease);
        }

        public async Task<bool> IsStaleAsync() => (await Console.GetAsync("/api/flags")).Body.GetProperty("stale").GetBoolean();

        /// <summary>Restores the connection, because an earlier test may have failed while it was cut.</summary>
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
