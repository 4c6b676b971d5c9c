using AutoTicket.Alerts;
using AutoTicket.Components.Pages;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.Incidents;
using AutoTicket.Mailbox;
using AutoTicket.Maintenance;
using AutoTicket.Security;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Bunit;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Components;

public sealed class SurfacePageTests : ComponentTest, IAsyncLifetime
{
    private ConsoleHost _console = null!;

    async Task IAsyncLifetime.InitializeAsync()
    {
        var nowhere = new Uri("http://127.0.0.1:9/");
        _console = await ConsoleHost.StartAsync(
            settings: new Dictionary<string, string?> { ["Status:PollInterval"] = "01:00:00" }
                .Concat(ConsoleHost.SurfaceSettings(0, "pay", nowhere))
                .Concat(ConsoleHost.SurfaceSettings(1, "shop", nowhere))
                .ToDictionary()
        );
        Services
            .AddSingleton(_console.Get<TimeProvider>())
            .AddSingleton(_console.Get<IHostApplicationLifetime>())
            .AddSingleton(new CircuitAuthorization(null!, null!, null!))
            .AddSingleton(_console.Get<IDbContextFactory<AutoTicketDbContext>>())
            .AddSingleton(_console.Get<Snoozer>())
            .AddSingleton(_console.Get<MaintenancePlanner>())
            .AddSingleton(_console.Get<MaintenanceWatch>())
            .AddSingleton(_console.Get<TicketTaker>())
            .AddSingleton(_console.Get<StatusBoard>())
            .AddSingleton(_console.Get<OpenTickets>())
            .AddSingleton(_console.Get<RecoveredTickets>())
            .AddSingleton(_console.Get<FlagWatch>())
            .AddSingleton(_console.Get<Investigator>())
            .AddSingleton(_console.Get<InvestigationForecasts>())
            .AddSingleton(_console.Get<IOptions<StatusOptions>>())
            .AddSingleton(_console.Get<AlertQueries>())
            .AddSingleton(_console.Get<IncidentQueries>())
            .AddSingleton(_console.Get<SurfaceTrends>());
    }

    async Task IAsyncLifetime.DisposeAsync()
    {
        await DisposeAsync();
        await _console.DisposeAsync();
    }

    [Fact]
    public async Task A_click_on_a_surface_that_has_just_recovered_says_so()
    {
        var user = new SlowUser();
        user.Be(Roles.Operator);
        Services.AddSingleton(new CircuitAuthorization(user, _console.Get<Sessions>(), _console.Get<DeniedRequests>()));
        RenderTree.Add<CascadingValue<Task<AuthenticationState>>>(parameters =>
            parameters.Add(c => c.Value, Task.FromResult(SlowUser.In(Roles.Operator)))
        );
        await _console.WaitForFlagsAsync();
        var board = _console.Get<StatusBoard>();
        await Eventually.TrueAsync(() => board.Find("pay")!.Status == SurfaceStatus.Down, "it is down");
        var page = Render<SurfacePage>(parameters => parameters.Add(p => p.Key, "pay"));
        page.WaitForAssertion(() => Investigate());

        // The page can't render between the two.
        await page.InvokeAsync(() =>
        {
            board.Publish(Reading("pay", 0, ReadingOutcome.Ok) with { CheckedAt = TimeProvider.System.GetUtcNow() }, TimeSpan.Zero);
            return Investigate().ClickAsync();
        });

        page.WaitForAssertion(() =>
            Assert.Contains("is operational: there is nothing to investigate.", TextOf(page.Find("article")), StringComparison.Ordinal)
        );

        AngleSharp.Dom.IElement Investigate() =>
            page.FindAll("button").Single(one => TextOf(one).StartsWith("Investigate ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_form_that_is_open_does_not_move_to_another_surface()
    {
        RenderTree.Add<CascadingValue<Task<AuthenticationState>>>(parameters =>
            parameters.Add(c => c.Value, Task.FromResult(SlowUser.In(Roles.Operator)))
        );
        var page = Render<SurfacePage>(parameters => parameters.Add(p => p.Key, "pay"));
        foreach (var button in new[] { "Plan maintenance…", "Maintenance…" })
        {
            await page.InvokeAsync(() => page.FindAll("button").Single(one => TextOf(one) == $"{button} of Surface pay").ClickAsync());
        }

        Assert.Equal(2, page.FindAll("form").Count);

        page.Render(parameters => parameters.Add(p => p.Key, "shop"));

        page.WaitForAssertion(() => Assert.Equal("Surface shop", TextOf(page.Find("h1"))));
        Assert.Empty(page.FindAll("form"));
    }
}
