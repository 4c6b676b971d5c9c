using AutoTicket.Components.Maintenance;
using AutoTicket.Maintenance;
using Bunit;

namespace AutoTicket.Tests.Components;

/// <summary>The button that starts and ends a mute, its form, and the list of maintenance.</summary>
public sealed class MuteControlTests : ComponentTest
{
    private readonly List<MuteRequest> _requested = [];
    private string? _refusal;
    private int _ended;

    [Fact]
    public async Task A_maintenance_needs_a_reason_and_lasts_an_hour_unless_another_time_is_chosen()
    {
        var control = Control();
        await Button(control, "Maintenance… of Pay").ClickAsync();
        Assert.Equal("Maintenance of Pay", control.Find("form").GetAttribute("aria-label"));

        await control.Find("form").SubmitAsync();
        Assert.Contains("Enter a reason (3–500 characters).", TextOf(control.Find("form")), StringComparison.Ordinal);
        Assert.Empty(_requested);

        await control.Find("input[aria-required]").InputAsync(" a new disk ");
        await control.Find("form").SubmitAsync();
        Assert.Equal([new("a new disk", "1h", null)], _requested);
        Assert.Empty(control.FindAll("form"));
    }

    [Fact]
    public async Task A_refusal_is_shown_and_the_form_stays_open()
    {
        var control = Control();
        _refusal = MuteOutcome.Unreachable.Message;
        await Button(control, "Maintenance… of Pay").ClickAsync();
        await control.Find("input[aria-required]").InputAsync("a new disk");

        await control.Find("form").SubmitAsync();

        Assert.Equal(_refusal, TextOf(control.Find("[role=alert]")));
        await control.Find("form").KeyDownAsync("Escape");
        Assert.Empty(control.FindAll("form"));
    }

    [Fact]
    public async Task In_maintenance_the_same_button_ends_it()
    {
        var control = Control(isMuted: true);

        await Button(control, "End maintenance of Pay").ClickAsync();

        Assert.Equal(1, _ended);
        Assert.Empty(control.FindAll("[role=alert]"));
        _refusal = "The configuration sets this maintenance: remove MaintenanceUntil and restart the console.";
        await Button(control, "End maintenance of Pay").ClickAsync();
        Assert.Equal(_refusal, TextOf(control.Find("[role=alert]")));
    }

    [Fact]
    public async Task A_weekly_maintenance_names_days_time_and_zone()
    {
        var control = Control(isPlanning: true);
        await Button(control, "Maintenance… of Pay").ClickAsync();
        await control.Find("input[aria-required]").InputAsync("backup");
        await control.Find("form").SubmitAsync();
        Assert.Equal("Enter when it starts.", TextOf(control.Find("[role=alert]")));

        await control.FindAll("[aria-label=Starts] input")[1].ClickAsync();
        await control.FindAll("[aria-label=Days] input")[5].ChangeAsync(true);
        await control.Find("input[type=time]").ChangeAsync("22:00:00");
        await control.Find("form").SubmitAsync();

        var request = Assert.Single(_requested);
        Assert.Equal(("backup", "1h", null, null), (request.Reason, request.For, request.Until, request.StartsAt));
        Assert.Equal(("sat", "22:00", "UTC"), (request.Weekly!.Days!.Single(), request.Weekly.At, request.Weekly.TimeZone));
    }

    [Fact]
    public async Task The_list_says_when_each_window_is_in_force_and_cancels_it()
    {
        var canceled = new List<long>();
        MaintenanceView[] windows =
        [
            Window(1, "now") with
            {
                Active = true,
            },
            Window(2, "backup") with
            {
                EndsAt = null,
                Weekly = new(["sat", "sun"], "22:00", 90, "Europe/Berlin"),
                NextFrom = Now.AddDays(2),
            },
            Window(3, "over <b>") with
            {
                NextFrom = null,
                NextUntil = null,
                EndedAt = Now.AddHours(-1),
                EndedBy = "peter",
            },
        ];
        var list = Render<MaintenanceList>(parameters =>
            parameters.Add(l => l.Windows, windows).Add(l => l.MayAct, true).Add(l => l.OnCancel, canceled.Add)
        );

        Assert.Equal(
            [
                "2026-03-01 02:00:00 UTC to 2026-03-01 05:00:00 UTC in force until 2026-03-01 05:00:00 UTC olga now End : now",
                "Every sat, sun at 22:00 (Europe/Berlin) for 1 h 30 min next 2026-03-03 03:00:00 UTC olga backup Cancel : backup",
                "2026-03-01 02:00:00 UTC to 2026-03-01 05:00:00 UTC ended 2026-03-01 02:00:00 UTC by peter olga over <b>",
            ],
            list.FindAll("tbody tr").Select(TextOf)
        );
        await list.FindAll("button")[1].ClickAsync();
        Assert.Equal([2], canceled);
    }

    private static MaintenanceView Window(long id, string reason) =>
        new(
            id,
            "pay",
            Now.AddHours(-1),
            Now.AddHours(2),
            null,
            Active: false,
            Now.AddHours(-1),
            Now.AddHours(2),
            reason,
            "olga",
            Now.AddHours(-1),
            null,
            null
        );

    private IRenderedComponent<MuteControl> Control(bool isMuted = false, bool isPlanning = false) =>
        Render<MuteControl>(parameters =>
            parameters
                .Add(c => c.OpenText, "Maintenance…")
                .Add(c => c.EndText, "End maintenance")
                .Add(c => c.Target, "of Pay")
                .Add(c => c.Title, "Maintenance of Pay")
                .Add(c => c.SubmitText, "Start maintenance")
                .Add(c => c.IsMuted, isMuted)
                .Add(c => c.IsPlanning, isPlanning)
                .Add(
                    c => c.OnMute,
                    request =>
                    {
                        _requested.Add(request);
                        return Task.FromResult(_refusal);
                    }
                )
                .Add(
                    c => c.OnEnd,
                    () =>
                    {
                        _ended++;
                        return Task.FromResult(_refusal);
                    }
                )
        );
}
