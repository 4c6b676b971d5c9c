using AutoTicket.Components.Pages;
using AutoTicket.Components.Tickets;
using AutoTicket.Incidents;
using AutoTicket.Mailbox;
using AutoTicket.Security;
using AutoTicket.Tests.Kit;
using Bunit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace AutoTicket.Tests.Components;

/// <summary>The page's own part of resolving, with the services of a real console.</summary>
public sealed class ResolvingPageTests : ComponentTest
{
    private readonly SlowUser _user = new();

    [Fact]
    public async Task A_second_click_while_the_user_is_authorized_starts_no_second_attempt()
    {
        await using var driver = await StartAsync();
        var ticket = await RecoveredAsync(driver);
        var page = Render<Page>();

        var clicks = new[] { ClickAsync(page, ticket), ClickAsync(page, ticket) };
        _user.Be(Roles.Operator);
        await Task.WhenAll(clicks);

        Assert.Equal(1, _user.Asked);
        Assert.Equal("1 resolved.", page.Instance.Last.Summary);
        Assert.False(driver.FreeScout.Find(ticket)!.IsOpen);
    }

    [Fact]
    public async Task A_denied_attempt_leaves_no_trace_on_the_page()
    {
        await using var driver = await StartAsync();
        var ticket = await RecoveredAsync(driver);
        var page = Render<Page>();

        var click = ClickAsync(page, ticket);
        Assert.True(page.Instance.Last.IsRunning);
        _user.Be(Roles.Viewer);
        await click;

        Assert.Equal(ResolveRun.None, page.Instance.Last);
        Assert.True(driver.FreeScout.Find(ticket)!.IsOpen);
    }

    [Fact]
    public async Task The_page_closes_no_ticket_whose_surface_is_down_again()
    {
        await using var driver = await StartAsync();
        var ticket = await RecoveredAsync(driver);
        driver.Sandbox.Surface(InvestigateDriver.Surface).Answer(503);
        await Eventually.TrueAsync(() => driver.Console.Get<RecoveredTickets>().Current.Count == 0, "the surface is down again");
        var page = Render<Page>();
        _user.Be(Roles.Operator);

        await ClickAsync(page, ticket);

        Assert.Equal([ticket], page.Instance.Last.Failed.Select(outcome => outcome.Ticket!.Id));
        Assert.True(driver.FreeScout.Find(ticket)!.IsOpen);
    }

    private async Task<InvestigateDriver> StartAsync()
    {
        var driver = await InvestigateDriver.StartAsync(
            settings: new Dictionary<string, string?>
            {
                ["Ticketing:RecoveredAfter"] = "00:00:00",
                ["Ticketing:SyncInterval"] = "01:00:00",
                // Short, so that the surface recovers soon.
                ["Status:PollInterval"] = "00:00:01",
            }
        );
        var console = driver.Console;
        Services
            .AddSingleton(new CircuitAuthorization(_user, console.Get<Sessions>(), console.Get<DeniedRequests>()))
            .AddSingleton(console.Get<TicketResolver>())
            .AddSingleton(console.Get<TicketTaker>())
            .AddSingleton(console.Get<IncidentQueries>())
            .AddSingleton(console.Get<TicketActivityReader>())
            .AddSingleton(console.Get<ConsoleAddress>())
            .AddSingleton(console.Get<TimeProvider>())
            .AddSingleton(console.Get<IHostApplicationLifetime>());
        return driver;
    }

    /// <returns>A ticket of a surface that has recovered.</returns>
    private static async Task<long> RecoveredAsync(InvestigateDriver driver)
    {
        var ticket = (await driver.ClickAsync()).Ticket!.Id;
        driver.Sandbox.Surface(InvestigateDriver.Surface).Answer(200);
        await Eventually.TrueAsync(() => driver.Console.Get<RecoveredTickets>().Current.Count == 1, "the surface has recovered");
        return ticket;
    }

    private static Task ClickAsync(IRenderedComponent<Page> page, long ticket) =>
        page.InvokeAsync(() => page.Instance.ClickAsync(new([ticket], "Fixed.")));

    private sealed class Page : ResolvingPage
    {
        public ResolveRun Last => Run;

        public Task ClickAsync(ResolveRequest request) => ResolveAsync(request);

        protected override Task ReadAsync() => Task.CompletedTask;

        protected override Task ResolvedAsync() => Task.CompletedTask;
    }
}
