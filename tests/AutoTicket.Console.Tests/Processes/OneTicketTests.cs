using System.Net;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Processes;

/// <summary>Forty simultaneous clicks on two processes file one ticket, also when FreeScout is slow or fails.</summary>
public sealed class OneTicketTests(TwoConsoles consoles) : IClassFixture<TwoConsoles>
{
    private const int Clicks = 40;

    [Fact]
    [Trait("Pitfall", "T-4")]
    [Trait("Pitfall", "T-21")]
    public async Task Forty_clicks_on_two_processes_file_one_ticket_and_all_see_it()
    {
        var surface = consoles.NextSurface();

        var answers = await ClickAsync(surface);

        var ticket = Assert.Single(consoles.All.TicketsOf(surface)).Id;
        Assert.All(answers, answer => Assert.Equal(ticket, answer.Ticket));
        Assert.Single(answers, answer => answer.Disposition == "filed");
        Assert.Equal(1, consoles.All.PostsFor(surface));
        await consoles.All.AssertOneTicketAsync(surface, consoles.A, consoles.B);
    }

    [Fact]
    [Trait("Pitfall", "T-4")]
    [Trait("Pitfall", "T-21")]
    public async Task A_slow_FreeScout_gets_one_post_and_no_click_sees_another_ticket()
    {
        var surface = consoles.NextSurface();
        using var slow = Fail(new(FaultKind.Delay) { Delay = TimeSpan.FromMilliseconds(700) });

        var answers = await ClickAsync(surface);

        var ticket = Assert.Single(consoles.All.TicketsOf(surface)).Id;
        // On a busy machine a click may run out of its two seconds.
        var inTime = answers.Where(answer => answer.Disposition != "degraded").ToList();
        Assert.NotEmpty(inTime);
        Assert.All(inTime, answer => Assert.Equal(ticket, answer.Ticket));
        Assert.Equal(1, consoles.All.PostsFor(surface));
        await consoles.All.AssertOneTicketAsync(surface, consoles.A, consoles.B);
    }

    [Fact]
    [Trait("Pitfall", "T-5")]
    public async Task A_FreeScout_that_fails_before_creating_gets_the_ticket_once_it_works()
    {
        var surface = consoles.NextSurface();
        using (Fail(new(FaultKind.Status) { StatusCode = 500 }))
        {
            var answers = await ClickAsync(surface);

            Assert.All(answers, answer => Assert.Equal("degraded", answer.Disposition));
        }

        Assert.Empty(consoles.All.TicketsOf(surface));
        await consoles.All.AssertOneTicketAsync(surface, consoles.A, consoles.B);
        var posts = consoles.All.PostTimesFor(surface);
        Assert.InRange(posts.Count, 2, int.MaxValue);
        // On a busy machine a late click may find the grace period over, and post again. A post may arrive late.
        Assert.All(posts.Zip(posts.Skip(1)), pair => Assert.InRange(pair.Second - pair.First, Consoles.Grace / 2, TimeSpan.MaxValue));
    }

    [Theory]
    [InlineData(FaultKind.StatusAfter)]
    [InlineData(FaultKind.HangAfter)]
    [Trait("Pitfall", "T-12")]
    public async Task A_ticket_whose_answer_is_lost_is_adopted_and_not_posted_again(FaultKind lost)
    {
        var surface = consoles.NextSurface();
        using (Fail(new(lost)))
        {
            await ClickAsync(surface);
        }

        await consoles.All.AssertOneTicketAsync(surface, consoles.A, consoles.B);
        Assert.Equal(1, consoles.All.PostsFor(surface));
    }

    private ActiveFault Fail(Fault fault) => consoles.Sandbox.Faults.Add(fault with { Match = FaultMatch.FreeScoutCreate });

    /// <summary>Sends forty clicks at once, half to each process. Each is answered with 200.</summary>
    private async Task<Answer[]> ClickAsync(string surface)
    {
        var answers = await Task.WhenAll(
            Enumerable.Range(0, Clicks).Select(n => (n % 2 == 0 ? (IConsole)consoles.A : consoles.B).InvestigateAsync(surface))
        );
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        return answers;
    }
}
