using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
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
        var panel = Panel(alerts, "journey_disk_full");
        await Assertions.Expect(panel.GetByRole(AriaRole.Row).Filter(new() { HasText = "filed" })).ToContainTextAsync("once");

        await RaiseAsync(Say("journey_disk_full", Severity.P1, firing: false));
        await Assertions.Expect(card).ToHaveCountAsync(0);
        // It leaves the list, and stays beside it until it is closed.
        await Assertions.Expect(panel).ToContainTextAsync("resolved");
        await panel.GetByRole(AriaRole.Button, new() { Name = "Close" }).ClickAsync();
        await Assertions.Expect(panel).ToHaveCountAsync(0);
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
        var panel = Panel(alerts, "journey_below");
        await Assertions.Expect(panel).ToContainTextAsync("No ticket and no DM: P3 is below the threshold (P2).");

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

        await Assertions.Expect(panel).ToContainTextAsync($"Ticket #{ticket.Number}, filed by developer. No DM: P3 is below");
        await Assertions.Expect(Ticket(card)).ToHaveAttributeAsync("href", ticket.Url);
        await panel.GetByRole(AriaRole.Link, new() { Name = "Full record of journey_below" }).ClickAsync();
        await Assertions.Expect(alerts.Heading).ToHaveTextAsync("journey_below");
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
        var ended = await host.Console.Http.GetFromJsonAsync<JsonElement>(new Uri("/api/alerts?active=false", UriKind.Relative));
        var statuses = ended.GetProperty("alerts").EnumerateArray().Select(alert => alert.GetProperty("status").GetString()).ToList();
        Assert.Contains("resolved", statuses);
        Assert.DoesNotContain("firing", statuses);
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

    [Theory]
    [InlineData(1440, 900, true)]
    [InlineData(1024, 768, true)]
    [InlineData(390, 740, false)]
    public async Task By_keyboard_an_alert_opens_beside_the_list_or_over_it_and_its_address_opens_it_too(
        int width,
        int height,
        bool isBeside
    )
    {
        var name = $"journey_panel_{width}";
        await RaiseAsync(Say(name));
        await using var page = await ConsolePage.OpenAsync(host.Console, $"/console/alerts?q={name}", width, height);
        var why = Card(page, name).GetByRole(AriaRole.Button, new() { Name = "Why (" });
        var panel = Panel(page, name);

        await why.PressAsync("Enter");
        await Assertions.Expect(panel).ToBeFocusedAsync();
        await Assertions.Expect(panel.GetByRole(AriaRole.Table)).ToBeVisibleAsync();
        await Assertions.Expect(page.Page).ToHaveURLAsync(new Regex($@"[?&]q={name}&open=\d+$"));
        await page.ScreenshotAsync($"alert-panel-{width}");
        var (list, beside) = (await page.Page.Locator("ol.episodes").BoundingBoxAsync(), await panel.BoundingBoxAsync());
        Assert.Equal(isBeside, beside!.X >= list!.X + list.Width);
        Assert.Equal(0, await page.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth - innerWidth"));
        await page.AssertAccessibleAsync();

        // Escape ends the form first.
        await panel.GetByRole(AriaRole.Button, new() { Name = "Snooze…" }).PressAsync("Enter");
        await Assertions.Expect(panel.GetByRole(AriaRole.Textbox, new() { Name = "Reason (required)" })).ToBeFocusedAsync();
        await page.Page.Keyboard.PressAsync("Escape");
        await Assertions.Expect(panel.GetByRole(AriaRole.Button, new() { Name = "Snooze…" })).ToBeFocusedAsync();
        await page.Page.Keyboard.PressAsync("Escape");
        await Assertions.Expect(panel).ToHaveCountAsync(0);
        await Assertions.Expect(why).ToBeFocusedAsync();
        await Assertions.Expect(page.Page).ToHaveURLAsync(new Regex($"[?&]q={name}$"));

        // Also if the list does not hold it.
        await why.PressAsync("Enter");
        await Assertions.Expect(panel).ToBeFocusedAsync();
        await page.GoToAsync(page.Page.Url.Replace(name, "nothing", StringComparison.Ordinal));
        await Assertions.Expect(page.Text("No alerts match “nothing”.")).ToBeVisibleAsync();
        await Assertions.Expect(panel).ToContainTextAsync(name);
        await panel.GetByRole(AriaRole.Button, new() { Name = "Close" }).PressAsync("Enter");
        await Assertions.Expect(panel).ToHaveCountAsync(0);
        page.AssertNoErrors();
    }

    private static ILocator Panel(ConsolePage page, string name) => page.Page.Locator(".panel").And(page.Page.GetByLabel(name));

    private static ILocator Card(ConsolePage page, string name) =>
        page.Page.GetByRole(AriaRole.Listitem).GetByRole(AriaRole.Article, new() { Name = name, Exact = true });

    private static ILocator Ticket(ILocator card) => card.GetByRole(AriaRole.Definition).GetByRole(AriaRole.Link);
}
