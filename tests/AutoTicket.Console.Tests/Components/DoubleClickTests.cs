using AutoTicket.Alerts;
using AutoTicket.Components.Pages;
using AutoTicket.Diagnostics;
using AutoTicket.Flags;
using AutoTicket.Incidents;
using AutoTicket.Intake;
using AutoTicket.Mailbox;
using AutoTicket.Maintenance;
using AutoTicket.Security;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Bunit;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Components;

/// <summary>A second click while the user of the first is still being looked up does nothing.</summary>
public sealed class DoubleClickTests : ComponentTest, IAsyncLifetime
{
    private readonly SlowUser _user = new();
    private ConsoleHost _console = null!;

    async Task IAsyncLifetime.InitializeAsync()
    {
        _console = await ConsoleHost.StartAsync();
        await _console.WaitForFlagsAsync();
        Services
            .AddSingleton(new CircuitAuthorization(_user, _console.Get<Sessions>(), _console.Get<DeniedRequests>()))
            .AddSingleton(_console.Get<TimeProvider>())
            .AddSingleton(_console.Get<IHostApplicationLifetime>())
            .AddSingleton(_console.Get<AttentionWatch>())
            .AddSingleton(_console.Get<AlertQueries>())
            .AddSingleton(_console.Get<ParkedAlerts>())
            .AddSingleton(_console.Get<Snoozer>())
            .AddSingleton(_console.Get<MaintenancePlanner>())
            .AddSingleton(_console.Get<FlagWatch>())
            .AddSingleton(_console.Get<FloodBreaker>())
            .AddSingleton(_console.Get<TicketResolver>())
            .AddSingleton(_console.Get<TicketTaker>())
            .AddSingleton(_console.Get<IncidentQueries>())
            .AddSingleton(_console.Get<TicketActivityReader>())
            .AddSingleton(_console.Get<ConsoleAddress>())
            .AddSingleton(_console.Get<StatusBoard>())
            .AddSingleton(_console.Get<OpenTickets>())
            .AddSingleton(_console.Get<RecoveredTickets>())
            .AddSingleton(_console.Get<FindingStore>())
            .AddSingleton(_console.Get<MailboxWatch>())
            .AddSingleton(_console.Get<Reconciler>())
            .AddSingleton(_console.Get<PipelineDiagnostics>())
            .AddSingleton(_console.Get<EscalationWatch>())
            .AddSingleton(_console.Get<DeliveryTest>())
            .AddSingleton(_console.Get<IOptions<DiagnosticsOptions>>());
    }

    async Task IAsyncLifetime.DisposeAsync()
    {
        await DisposeAsync();
        await _console.DisposeAsync();
    }

    [Fact]
    public async Task A_flag_is_changed_once()
    {
        var page = Open<FlagsPage>();
        await page.InvokeAsync(() => Button(page, $"Switch off… {FlagNames.InvestigateFromStatus}").ClickAsync());
        await page.InvokeAsync(() => page.Find("form textarea[aria-required]").InputAsync("a double click"));

        var clicks = new[] { SubmitAsync(), SubmitAsync() };
        _user.Be(Roles.Admin);
        await Task.WhenAll(clicks);

        Assert.Equal(1, _user.Asked);
        await page.WaitForAssertionAsync(() => Button(page, $"Switch on… {FlagNames.InvestigateFromStatus}"));

        Task SubmitAsync() => page.InvokeAsync(() => page.Find("form").SubmitAsync());
    }

    [Fact]
    public async Task The_tickets_are_read_once()
    {
        var page = Open<TicketsPage>();

        var clicks = new[] { ClickAsync("Refresh"), ClickAsync("Refreshing…") };
        _user.Be(Roles.Operator);
        await Task.WhenAll(clicks);

        Assert.Equal(1, _user.Asked);
        Assert.Equal("false", Button(page, "Refresh").GetAttribute("aria-disabled"));

        // The page may render by itself between finding and clicking.
        Task ClickAsync(string button) => page.InvokeAsync(() => Button(page, button).ClickAsync());
    }

    [Fact]
    public async Task A_delivery_is_tested_once()
    {
        var page = Open<DiagnosticsPage>();

        var clicks = new[] { ClickAsync(), ClickAsync() };
        await page.WaitForAssertionAsync(() => Assert.Equal("Testing…", TextOf(page.Find(".tested"))));
        _user.Be(Roles.Admin);
        await Task.WhenAll(clicks);

        await page.WaitForAssertionAsync(() => Assert.Equal("The test DM was sent.", TextOf(page.Find(".tested"))));
        Assert.Single(_console.Sandbox.Slack.Messages);

        // The page renders by itself while its checks run. The renderer's dispatcher lets it not render between the two steps.
        Task ClickAsync() => page.InvokeAsync(() => Button(page, "Send test DM").ClickAsync());
    }

    [Fact]
    public async Task A_parked_alert_is_retried_once()
    {
        await _console
            .Get<ParkedAlerts>()
            .AddAsync(
                [
                    new()
                    {
                        Intake = "generic",
                        Reason = "a test",
                        Text = "{}",
                        IsWhole = true,
                        ReceivedAt = _console.Get<TimeProvider>().GetUtcNow(),
                    },
                ],
                default
            );
        var page = Open<AlertsPage>();
        page.WaitForAssertion(() => Button(page, "Retry parked alert"));

        var clicks = new[] { ClickAsync("Retry"), ClickAsync("Discard") };
        _user.Be(Roles.Operator);
        await Task.WhenAll(clicks);

        Assert.Equal(1, _user.Asked);
        Assert.Equal("false", Button(page, "Retry parked alert").GetAttribute("aria-disabled"));

        Task ClickAsync(string button) => page.InvokeAsync(() => Button(page, $"{button} parked alert").ClickAsync());
    }

    private IRenderedComponent<T> Open<T>()
        where T : IComponent
    {
        RenderTree.Add<CascadingValue<Task<AuthenticationState>>>(parameters =>
            parameters.Add(c => c.Value, Task.FromResult(SlowUser.In(Roles.Admin)))
        );
        return Render<T>();
    }
}
