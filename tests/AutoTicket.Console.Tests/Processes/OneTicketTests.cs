using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Processes;

/// <summary>Forty simultaneous clicks on two processes file one ticket.</summary>
public sealed class OneTicketTests(TwoConsoles consoles) : IClassFixture<TwoConsoles>
{
    [Fact]
    [Trait("Pitfall", "T-4")]
    [Trait("Pitfall", "T-21")]
    public async Task Forty_clicks_on_two_processes_file_one_ticket_and_all_see_it()
    {
        var surface = consoles.NextSurface();

        var answers = await consoles.ClickFortyTimesAsync(surface);

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
        using var slow = consoles.FailCreates(new(FaultKind.Delay) { Delay = TimeSpan.FromMilliseconds(700) });

        var answers = await consoles.ClickFortyTimesAsync(surface);

        var ticket = Assert.Single(consoles.All.TicketsOf(surface)).Id;
        Assert.All(answers, answer => Assert.Equal(ticket, answer.Ticket));
        Assert.Equal(1, consoles.All.PostsFor(surface));
        await consoles.All.AssertOneTicketAsync(surface, consoles.A, consoles.B);
    }
}

/// <summary>Forty simultaneous clicks on two processes file one ticket, also when FreeScout fails or its answer is lost.</summary>
public sealed class OneTicketAfterAllTests(TwoHastyConsoles consoles) : IClassFixture<TwoHastyConsoles>
{
    [Fact]
    [Trait("Pitfall", "T-5")]
    public async Task A_FreeScout_that_fails_before_creating_gets_the_ticket_once_it_works()
    {
        var surface = consoles.NextSurface();
        using (consoles.FailCreates(new(FaultKind.Status) { StatusCode = 500 }))
        {
            var answers = await consoles.ClickFortyTimesAsync(surface);

            Assert.All(answers, answer => Assert.Equal("degraded", answer.Disposition));
        }

        Assert.Empty(consoles.All.TicketsOf(surface));
        await consoles.All.AssertOneTicketAsync(surface, consoles.A, consoles.B);
        var posts = consoles.All.PostTimesFor(surface);
        Assert.InRange(posts.Count, 2, int.MaxValue);
        // On a busy machine a late click may find the grace period over, and post again. A post may arrive late.
        Assert.All(posts.Zip(posts.Skip(1)), pair => Assert.InRange(pair.Second - pair.First, Consoles.HastyGrace / 2, TimeSpan.MaxValue));
    }

    [Theory]
    [InlineData(FaultKind.StatusAfter)]
    [InlineData(FaultKind.HangAfter)]
    [Trait("Pitfall", "T-12")]
    public async Task A_ticket_whose_answer_is_lost_is_adopted_and_not_posted_again(FaultKind lost)
    {
        var surface = consoles.NextSurface();
        using (consoles.FailCreates(new(lost)))
        {
            await consoles.ClickFortyTimesAsync(surface);
        }

        await consoles.All.AssertOneTicketAsync(surface, consoles.A, consoles.B);
        Assert.Equal(1, consoles.All.PostsFor(surface));
    }
}
