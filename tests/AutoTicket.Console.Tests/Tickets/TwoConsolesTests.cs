using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Tickets;

/// <summary>Two consoles on one PostgreSQL file one ticket for a surface, however often operators click.</summary>
public sealed class TwoConsolesTests
{
    /// <summary>Limits that suffice for forty clicks on a busy machine.</summary>
    private static readonly Dictionary<string, string?> Patient = new()
    {
        ["Ticketing:ClickBudget"] = "00:00:15",
        ["Ticketing:Lease"] = "00:00:20",
        ["FreeScout:CallTimeout"] = "00:00:10",
    };

    private readonly StillClock _clock = new();

    [Theory]
    [Trait("Pitfall", "T-4")]
    [Trait("Pitfall", "T-21")]
    [InlineData(FaultKind.Delay)]
    [InlineData(FaultKind.StatusAfter)]
    [InlineData(FaultKind.ResetAfter)]
    public async Task Forty_simultaneous_clicks_on_two_consoles_file_one_ticket_and_all_return_it(FaultKind kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(Database.Postgres, Patient, consoles: 2);
        driver.Sandbox.Faults.Add(
            new Fault(kind)
            {
                Match = FaultMatch.FreeScoutCreate,
                Delay = TimeSpan.FromMilliseconds(300),
                Times = 1,
            }
        );

        var clicks = await Task.WhenAll(Enumerable.Range(0, 40).Select(click => driver.ClickUntilThereIsATicketAsync(console: click % 2)));

        var url = Assert.Single(clicks.Select(click => click.Ticket?.Url).Distinct());
        Assert.NotNull(url);
        Assert.Single(driver.Creates);
        Assert.Equal(1, driver.FreeScout.PeakCreatesInFlight);
        await driver.AssertOneTicketAsync();
        if (kind == FaultKind.Delay)
        {
            Assert.Single(clicks, click => click.Disposition == "filed");
        }
    }

    [Fact]
    [Trait("Pitfall", "T-4")]
    public async Task Two_consoles_that_race_on_twenty_surfaces_make_twenty_tickets()
    {
        var surfaces = Enumerable.Range(0, 20).Select(number => $"s{number}").ToList();
        await using var driver = await InvestigateDriver.StartAsync(Database.Postgres, Patient, consoles: 2, surfaces: surfaces);

        var clicks = await Task.WhenAll(
            surfaces.SelectMany(surface =>
                Enumerable
                    .Range(0, 2)
                    .Select(async click => (surface, await driver.ClickUntilThereIsATicketAsync(surface: surface, console: click % 2)))
            )
        );

        Assert.All(
            clicks.GroupBy(click => click.surface),
            surface => Assert.Single(surface.Select(click => click.Item2.Ticket!.Url).Distinct())
        );
        Assert.Equal(20, driver.FreeScout.CreatedCount);
        Assert.Equal(
            20,
            (await driver.FilingsAsync()).Select(filing => filing.GetProperty("conversation_id").GetInt64()).Distinct().Count()
        );
    }

    [Theory]
    [Trait("Pitfall", "T-5")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Five_minutes_of_500s_with_retries_on_both_consoles_end_in_one_ticket(bool listIsDownToo)
    {
        await using var driver = await InvestigateDriver.StartAsync(Database.Postgres, clock: _clock, consoles: 2);
        using (
            driver.Sandbox.Faults.Add(
                new Fault(FaultKind.Status) { Match = listIsDownToo ? FaultMatch.FreeScout : FaultMatch.FreeScoutCreate }
            )
        )
        {
            for (var second = 0; second < 300; second += 10)
            {
                Assert.All(
                    await Task.WhenAll(driver.ClickAsync(console: 0), driver.ClickAsync(console: 1)),
                    click => Assert.True(click.Degraded, click.Message)
                );
                _clock.Advance(TimeSpan.FromSeconds(10));
            }
        }

        Assert.Equal(1, driver.FreeScout.PeakCreatesInFlight);
        Assert.True(listIsDownToo || driver.Creates.Count > 1, "the filing is posted again after the grace period");
        await driver.ClickUntilThereIsATicketAsync(TimeSpan.FromSeconds(6));

        await driver.AssertOneTicketAsync();
        Assert.Equal("already_open", (await driver.ClickAsync(console: 1)).Disposition);
    }

    [Theory, BothDatabases]
    [Trait("Pitfall", "T-21")]
    public async Task A_double_click_files_one_ticket(Database kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(kind, Patient);

        var clicks = await Task.WhenAll(driver.ClickAsync(), driver.ClickAsync());

        Assert.Equal(["already_open", "filed"], clicks.Select(click => click.Disposition).Order());
        Assert.Equal(clicks[0].Ticket!.Url, clicks[1].Ticket!.Url);
        await driver.AssertOneTicketAsync();
    }
}
