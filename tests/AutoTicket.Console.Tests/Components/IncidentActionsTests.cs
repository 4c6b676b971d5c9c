using AutoTicket.Alerts;
using AutoTicket.Components.Alerts;
using AutoTicket.Components.Incidents;
using AutoTicket.Components.Tickets;
using AutoTicket.Incidents;
using AutoTicket.Mailbox;
using AutoTicket.Surfaces;
using Bunit;

namespace AutoTicket.Tests.Components;

/// <summary>What an operator may do on the page of an incident.</summary>
public sealed class IncidentActionsTests : ComponentTest
{
    private static readonly IncidentSummary Disk = new(
        1,
        "0123456789abcdef-1",
        "0123456789abcdef",
        "disk_full",
        "disk_full on db1",
        "disk_full",
        "test",
        null,
        null,
        null,
        Severity.P2,
        AlertStatus.Firing,
        Now.AddHours(-1),
        null,
        0,
        null
    );

    private readonly List<string> _done = [];

    [Fact]
    public async Task An_open_ticket_is_taken_and_an_alert_is_snoozed()
    {
        var actions = Actions(Disk);

        await Button(actions, "Take it ticket #7").ClickAsync();
        await Button(actions, "Snooze… disk_full").ClickAsync();
        await actions.Find("form input[aria-required]").InputAsync("a new disk");
        await actions.Find("form").SubmitAsync();
        Assert.Equal(["take 7", "snooze 0123456789abcdef: a new disk"], _done);

        var ended = Actions(Disk with { Status = AlertStatus.Resolved, EndedAt = Now });
        Assert.DoesNotContain("Snooze", TextOf(ended.Find("p").Parent!), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_surface_of_an_outage_is_put_into_maintenance()
    {
        var pay = Snapshot("Pay", SurfaceStatus.Down);
        var actions = Actions(Disk with { Surface = "pay" }, pay);

        await Button(actions, "Maintenance… of Pay").ClickAsync();
        await actions.Find("form input[aria-required]").InputAsync("a new release");
        await actions.Find("form").SubmitAsync();
        Assert.Equal(["maintain pay: a new release"], _done);

        var over = Disk with { Status = AlertStatus.Resolved, EndedAt = Now };
        Assert.DoesNotContain("aintenance", Actions(over, pay).Markup, StringComparison.Ordinal);
        Assert.Empty(Render<IncidentActions>(parameters => parameters.Add(a => a.Incident, Disk)).FindAll("button"));
    }

    [Fact]
    public void A_viewer_sees_who_has_the_ticket_and_when_a_person_last_answered()
    {
        var ticket = new OpenTicket(7, 7, "https://desk.example.org/7", "disk", "active", [], null, Now, "alert:test")
        {
            IsListed = true,
            Assignee = new(4, "Ana", null),
            LastReplyAt = Now.AddMinutes(-5),
        };
        var actions = Render<IncidentActions>(parameters =>
            parameters.Add(a => a.Incident, Disk).Add(a => a.Tickets, [ticket]).Add(a => a.Now, Now)
        );

        Assert.Equal("Ticket #7: Ana answered 5 min ago", TextOf(actions.Find("p")));
        Assert.Empty(actions.FindAll("button"));
    }

    private IRenderedComponent<IncidentActions> Actions(IncidentSummary incident, SurfaceSnapshot? surface = null) =>
        Render<IncidentActions>(parameters =>
            parameters
                .Add(a => a.Incident, incident)
                .Add(a => a.Tickets, [new OpenTicket(7, 7, "https://desk.example.org/7", "disk", "active", [], null, Now, "alert:test")])
                .Add(a => a.Now, Now)
                .Add(a => a.TakeOf, _ => new TakeState(null))
                .Add(a => a.OnTake, click => _done.Add($"take {click.Ticket}"))
                .Add(
                    a => a.Snoozes,
                    new SnoozeActions((key, request) => DoneAsync($"snooze {key}: {request.Reason}"), key => DoneAsync($"end {key}"))
                )
                .Add(a => a.Surface, surface)
                .Add(a => a.OnMute, (key, request) => DoneAsync($"maintain {key}: {request.Reason}"))
        );

    private Task<string?> DoneAsync(string what)
    {
        _done.Add(what);
        return Task.FromResult<string?>(null);
    }
}
