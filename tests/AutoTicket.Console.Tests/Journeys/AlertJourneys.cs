using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Flags;
using AutoTicket.Mailbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.Playwright;
using Xunit.Abstractions;

namespace AutoTicket.Tests.Journeys;

public sealed class AlertJourneys(JourneyHost host, ITestOutputHelper output) : IClassFixture<JourneyHost>
{
    [Fact]
    public async Task An_alert_shows_on_an_open_page_with_its_ticket_and_leaves_it_when_it_ends()
    {
        await SwitchAsync(true);
        await using var alerts = await ConsolePage.OpenAsync(host.Console, "/console/alerts");
        var card = Card(alerts, "journey_disk_full");
        await RaiseAsync(Say("journey_warm_up"));
        await Assertions.Expect(Ticket(Card(alerts, "journey_warm_up"))).ToBeVisibleAsync();
        await Assertions.Expect(card).ToHaveCountAsync(0);

        var raised = Stopwatch.GetTimestamp();
        await RaiseAsync(Say("journey_disk_full", Severity.P1));
        await Assertions.Expect(card).ToBeVisibleAsync();
        var shown = Stopwatch.GetElapsedTime(raised);
        await Assertions.Expect(Ticket(card)).ToBeVisibleAsync();
        var filed = Stopwatch.GetElapsedTime(raised);

        output.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"alert to an open page: shown {shown.TotalMilliseconds:0} ms, with its ticket {filed.TotalMilliseconds:0} ms"
            )
        );
        Assert.InRange(filed, TimeSpan.Zero, Eventually.OnABusyMachine(TimeSpan.FromSeconds(1)));
        var ticket = host.Sandbox.FreeScout.Conversations.Single(conversation =>
            conversation.Subject.Contains("journey_disk_full", StringComparison.Ordinal)
        );
        await Assertions.Expect(Ticket(card)).ToHaveTextAsync($"#{ticket.Number}");
        await Assertions.Expect(Ticket(card)).ToHaveAttributeAsync("href", $"{host.Sandbox.FreeScout.BaseUrl}/conversation/{ticket.Id}");
        await card.GetByText("Why (").ClickAsync();
        await Assertions.Expect(card.GetByRole(AriaRole.Row).Filter(new() { HasText = "filed" })).ToContainTextAsync("once");

        await RaiseAsync(Say("journey_disk_full", Severity.P1, firing: false));
        await Assertions.Expect(card).ToHaveCountAsync(0);
        await alerts.Page.GetByRole(AriaRole.Button, new() { Name = "All", Exact = true }).ClickAsync();
        await Assertions.Expect(card).ToContainTextAsync("resolved");
        Assert.EndsWith("?show=all", alerts.Page.Url, StringComparison.Ordinal);
        await alerts.Page.GetByRole(AriaRole.Searchbox, new() { Name = "Search alerts" }).FillAsync("WARM_up");
        await Assertions.Expect(card).ToHaveCountAsync(0);
        await Assertions.Expect(Card(alerts, "journey_warm_up")).ToBeVisibleAsync();
        alerts.AssertNoErrors();
    }

    [Fact]
    public async Task An_alert_has_a_page_of_its_own_that_is_live_and_other_addresses_are_not_found()
    {
        var long_ = string.Join('\n', Enumerable.Range(0, 200).Select(line => $"line {line} <b>of</b> the trace"));
        var alert = Say("journey_own_page") with
        {
            FullText = long_,
            AllLabels = """{"host":"db1","team":"<i>ops</i>"}""",
            Url = "https://prometheus.example.org/graph?g0.expr=up",
        };
        var key = AlertIdentity.KeyOf((await RaiseAsync(alert)).AlertId);
        await using var page = await ConsolePage.OpenAsync(host.Console, "/console/alerts");
        await page.Page.GetByRole(AriaRole.Link, new() { Name = "journey_own_page", Exact = true }).ClickAsync();

        await Assertions.Expect(page.Heading).ToHaveTextAsync("journey_own_page");
        Assert.EndsWith($"/console/alerts/{key}", page.Page.Url, StringComparison.Ordinal);
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Region, new() { Name = "Full text" })).ToHaveTextAsync(long_);
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Row).Filter(new() { HasText = "team" })).ToContainTextAsync("<i>ops</i>");
        await RaiseAsync(alert with { IsFiring = false });
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Article)).ToContainTextAsync("resolved");

        foreach (var other in new[] { "0123456789abcdef", "nonsense", key.ToUpperInvariant(), key + "0" })
        {
            Assert.Equal(
                HttpStatusCode.NotFound,
                (await host.Console.Http.GetAsync(new Uri($"/console/alerts/{other}", UriKind.Relative))).StatusCode
            );
        }

        await page.GoToAsync("/console/alerts/nonsense");
        await Assertions.Expect(page.Heading).ToHaveTextAsync("Page not found");
    }

    [Fact]
    public async Task An_alert_shows_its_open_ticket_whoever_filed_it()
    {
        await using var alerts = await ConsolePage.OpenAsync(host.Console, "/console/alerts");
        // Below the threshold: the console files no ticket for it.
        var alertId = (await RaiseAsync(Say("journey_below", Severity.P3))).AlertId;
        var card = Card(alerts, "journey_below");
        await card.GetByText("Why (").ClickAsync();
        await Assertions.Expect(card).ToContainTextAsync("No ticket and no DM: P3 is below the threshold (P2).");

        var draft = new TicketDraft(
            alertId,
            null,
            Severity.P3,
            TicketTags.Alert,
            AuditActions.InvestigateFiled,
            "developer",
            "[P3] journey_below",
            []
        );
        var ticket = (await host.Console.Get<TicketingService>().FileAsync(draft)).Ticket!;

        await Assertions.Expect(card).ToContainTextAsync($"Ticket #{ticket.Number}, filed by developer. No DM: P3 is below");
        await Assertions.Expect(Ticket(card)).ToHaveAttributeAsync("href", ticket.Url);
        await alerts.Page.GetByRole(AriaRole.Link, new() { Name = "journey_below", Exact = true }).ClickAsync();
        await Assertions
            .Expect(alerts.Page.GetByRole(AriaRole.Article))
            .ToContainTextAsync($"Ticket #{ticket.Number}, filed by developer.");
        var answer = await host.Console.Http.GetFromJsonAsync<JsonElement>(new Uri("/api/alerts?active=true", UriKind.Relative));
        var shown = answer.GetProperty("alerts").EnumerateArray().Single(alert => alert.GetProperty("alert_id").GetString() == alertId);
        Assert.Equal(
            (ticket.Id, "developer"),
            (shown.GetProperty("ticket").GetProperty("id").GetInt64(), shown.GetProperty("ticket").GetProperty("filed_by").GetString())
        );

        await RaiseAsync(Say("journey_below", Severity.P3, firing: false));
        await Assertions.Expect(alerts.Page.GetByRole(AriaRole.Article)).ToContainTextAsync("resolved");
        await Assertions
            .Expect(alerts.Page.GetByRole(AriaRole.Article))
            .ToContainTextAsync($"Ticket #{ticket.Number}, filed by developer.");
        host.Sandbox.FreeScout.Close(ticket.Id);
        await host.Console.Get<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await Assertions.Expect(alerts.Page.GetByRole(AriaRole.Article)).ToContainTextAsync("No ticket and no DM: P3 is below");
        alerts.AssertNoErrors();
    }

    [Fact]
    public async Task A_producer_that_makes_up_ids_is_named_with_an_issue_to_copy()
    {
        foreach (var id in new[] { "a-1", "a-2", "a-3" })
        {
            await RaiseAsync(Say("journey_unstable", source: "noisy") with { ProducerId = id });
        }

        await using var page = await ConsolePage.OpenAsync(host.Console, "/console/alerts");
        var panel = page.Page.GetByRole(AriaRole.Region, new() { Name = "noisy changes its alert id" });
        await Assertions.Expect(panel).ToContainTextAsync("came with 3 ids");
        await panel.GetByText("Issue to file").ClickAsync();
        await panel.GetByRole(AriaRole.Button, new() { Name = "Copy text" }).ClickAsync();
        await Assertions.Expect(panel.GetByRole(AriaRole.Status)).Not.ToBeEmptyAsync();
        Assert.Contains(
            "type:reliability",
            await page.Page.EvaluateAsync<string>("() => document.activeElement.value.substring(0, document.activeElement.selectionEnd)"),
            StringComparison.Ordinal
        );
        await Assertions.Expect(Card(page, "journey_unstable")).ToContainTextAsync("Sender changes its alert id");
    }

    private async Task<Observed> RaiseAsync(Observation observation) =>
        (await host.Console.Get<AlertAggregator>().ObserveAsync([observation], CancellationToken.None))![0];

    private async Task SwitchAsync(bool enabled)
    {
        using var answer = await host.Console.Http.PutAsJsonAsync(
            $"/api/flags/{FlagNames.AlertsAutoTicket}",
            new { enabled, reason = "a journey" }
        );
        answer.EnsureSuccessStatusCode();
    }

    private static Observation Say(string name, Severity severity = Severity.P2, bool firing = true, string source = "test") =>
        new(source, name, null, severity, $"{name} on db1", firing, new Dictionary<string, string> { ["host"] = "db1" });

    private static ILocator Card(ConsolePage page, string name) =>
        page.Page.GetByRole(AriaRole.Article, new() { Name = name, Exact = true });

    private static ILocator Ticket(ILocator card) => card.GetByRole(AriaRole.Definition).GetByRole(AriaRole.Link);
}
