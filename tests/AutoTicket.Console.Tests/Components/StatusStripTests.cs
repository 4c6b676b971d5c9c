using AutoTicket.Components.Layout;
using AutoTicket.Diagnostics;
using Bunit;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Rendering;

namespace AutoTicket.Tests.Components;

public sealed class StatusStripTests : ComponentTest
{
    [Fact]
    public void Nothing_is_shown_while_all_is_normal() => Assert.Equal("", Strip([]).Markup.Trim());

    [Fact]
    public void A_problem_shows_since_and_until_when_and_leads_to_where_it_is_mended()
    {
        var strip = Strip([
            new(ProblemKind.SlackFails, "No DMs are sent. Slack failed with 503 <b>.", Now.AddMinutes(-2)),
            new(ProblemKind.FilingPaused, "Tickets for all alerts are paused.", Now.AddMinutes(-3), Now.AddMinutes(5)),
        ]);

        Assert.Equal(
            [
                "No DMs are sent. Slack failed with 503 <b>. For 2 min . What to do",
                "Tickets for all alerts are paused. For 3 min . Until 2026-03-01 03:05:00 UTC . Reset…",
            ],
            strip.FindAll("li").Select(TextOf)
        );
        Assert.Equal(
            ["/console/diagnostics", "/console/flags#FLAG_CONSOLE_ALERTS_AUTO_TICKET"],
            strip.FindAll("a").Select(link => link.GetAttribute("href"))
        );
    }

    [Fact]
    public void Ages_are_outside_of_the_live_regions()
    {
        var strip = Strip([.. Enum.GetValues<ProblemKind>().Select(kind => new ConsoleProblem(kind, $"{kind}.", Now))]);

        Assert.Equal(Enum.GetValues<ProblemKind>().Select(kind => $"{kind}."), strip.FindAll("[role]").Select(TextOf));
        Assert.Empty(strip.FindAll("[role] time"));
    }

    [Fact]
    public void A_user_without_the_right_sees_the_problems_without_the_actions()
    {
        var strip = Strip(
            [
                new(ProblemKind.FilingOff, "Tickets are off."),
                new(ProblemKind.FilingPaused, "Paused."),
                new(ProblemKind.InvestigateOff, "Off."),
            ],
            mayAct: false
        );

        Assert.Equal(["Tickets are off.", "Paused.", "Off."], strip.FindAll("li").Select(TextOf));
        Assert.Empty(strip.FindAll("a"));
    }

    [Fact]
    public void The_tab_counts_surfaces_and_alerts_and_an_outage_once()
    {
        Assert.Equal("Tickets", Attention.None.Title("Tickets"));
        Assert.Equal("(1) Tickets", new Attention([], 1, new(1, 0)).Title("Tickets"));
        Assert.Equal("(32) Tickets", new Attention([], 2, new(32, 30)).Title("Tickets"));
    }

    [Fact]
    public void A_change_renders_only_the_parts_that_show_it()
    {
        var attention = new Attention([], 1, new(1, 0));
        var page = Render<CascadingValue<Attention>>(Parameters);
        var counts = page.FindComponents<AttentionCount>();
        var rendered = counts[0].RenderCount;

        attention = attention with { Alerts = new(2, 1) };
        page.Render(Parameters);

        Assert.Equal(["1", "2"], counts.Select(count => TextOf(count.Find("span"))));
        Assert.Equal(rendered, counts[0].RenderCount);

        void Parameters(ComponentParameterCollectionBuilder<CascadingValue<Attention>> parameters) =>
            parameters.Add(cascade => cascade.Value, attention).Add(cascade => cascade.ChildContent, Counts);

        static void Counts(RenderTreeBuilder builder)
        {
            foreach (var of in new Func<Attention, int>[] { now => now.Surfaces, now => now.Alerts.Count })
            {
                builder.OpenComponent<AttentionCount>(0);
                builder.AddComponentParameter(1, nameof(AttentionCount.Of), of);
                builder.CloseComponent();
            }
        }
    }

    [Fact]
    public void A_pause_shows_by_whom_it_is_and_leads_to_it()
    {
        var strip = Strip(
            [
                new(ProblemKind.InMaintenance, "Pay is in maintenance, set by olga: “disk”.", Now.AddHours(-2), Now.AddHours(1)),
                new(ProblemKind.Snoozed, "2 alerts are snoozed.", Now.AddHours(-3)),
            ],
            mayAct: false
        );

        Assert.Equal(
            [
                "Pay is in maintenance, set by olga: “disk”. For 2 h 0 min . Until 2026-03-01 04:00:00 UTC . Show",
                "2 alerts are snoozed. For 3 h 0 min . Show",
            ],
            strip.FindAll("li").Select(TextOf)
        );
        Assert.Equal(["/console/status?show=maintenance", "/console/alerts"], strip.FindAll("a").Select(link => link.GetAttribute("href")));
        Assert.Equal(["Warning", "Warning"], strip.FindAll("li").Select(item => item.GetAttribute("data-state")));
    }

    private IRenderedComponent<StatusStrip> Strip(IReadOnlyList<ConsoleProblem> problems, bool mayAct = true) =>
        Render<StatusStrip>(parameters => parameters.Add(s => s.Problems, problems).Add(s => s.MayAct, mayAct).Add(s => s.Now, Now));
}
