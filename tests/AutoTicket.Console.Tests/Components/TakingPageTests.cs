using AutoTicket.Components.Pages;
using AutoTicket.Diagnostics;
using AutoTicket.Incidents;
using AutoTicket.Mailbox;
using AutoTicket.Security;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using Bunit;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace AutoTicket.Tests.Components;

public sealed class TakingPageTests : ComponentTest, IAsyncLifetime
{
    private ConsoleHost _console = null!;

    async Task IAsyncLifetime.InitializeAsync()
    {
        _console = await ConsoleHost.StartAsync(settings: ConsoleHost.SurfaceSettings(0, "pay", new Uri("http://127.0.0.1:9/")));
        Services
            .AddSingleton(_console.Get<TimeProvider>())
            .AddSingleton(_console.Get<IHostApplicationLifetime>())
            .AddSingleton(new CircuitAuthorization(null!, null!, null!))
            .AddSingleton(_console.Get<AttentionWatch>())
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
            .AddSingleton(_console.Get<Reconciler>());
    }

    async Task IAsyncLifetime.DisposeAsync()
    {
        await DisposeAsync();
        await _console.DisposeAsync();
    }

    [Theory, InlineData(null), InlineData("dana@sandbox.example")]
    public async Task Taking_is_offered_only_to_a_sign_in_with_an_e_mail_address(string? email)
    {
        await _console.WaitForFlagsAsync();
        using var filed = await _console.Http.PostAsync("/api/surfaces/pay/investigate", null);
        Assert.Contains("\"filed\"", await filed.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        RenderTree.Add<CascadingValue<Task<AuthenticationState>>>(parameters =>
            parameters.Add(
                c => c.Value,
                Task.FromResult(new AuthenticationState(Schemes.Principal("olga", Roles.Operator, Schemes.Cookie, email: email)))
            )
        );

        var page = Render<TicketsPage>();

        page.WaitForAssertion(() => Assert.Contains("Surface pay is down", page.Markup, StringComparison.Ordinal));
        Assert.Equal(email is not null, page.FindAll("button.take").Count > 0);
        Assert.Equal(
            email is null ? ["Taking tickets needs a sign-in with an e-mail address."] : [],
            page.FindAll("[role=note]").Select(TextOf)
        );
    }
}
