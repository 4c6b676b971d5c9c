using AutoTicket.Alerts;
using AutoTicket.Components.Alerts;
using AutoTicket.Surfaces;
using Bunit;

namespace AutoTicket.Tests.Components;

public sealed class AlertListTests : ComponentTest
{
    [Fact]
    public void A_filter_is_kept_in_the_url()
    {
        AlertFilter[] filters =
        [
            new(),
            new(Active: null, Search: "disk & co"),
            new(Active: false, Sort: AlertSort.Age, After: new AlertCursor(4, 17)),
            new(Sort: AlertSort.Severity, IsDescending: true),
            new(Sort: AlertSort.Name, IsDescending: true),
            new(Sort: AlertSort.Source),
            new(Severity: Severity.P1, IsGrouped: true),
            new(Open: 17),
        ];

        Assert.All(
            filters,
            filter =>
            {
                var query = filter.ToQuery();
                Assert.Equal(
                    filter,
                    AlertFilter.FromQuery(
                        (string?)query["show"],
                        (string?)query["q"],
                        (string?)query["severity"],
                        (string?)query["sort"],
                        (string?)query["by"],
                        (string?)query["after"],
                        query["open"]?.ToString()
                    )
                );
            }
        );
        Assert.Equal(new AlertFilter(Sort: AlertSort.Age), AlertFilter.FromQuery(null, null, null, "newest", null, null, null));
        Assert.Equal(new AlertFilter(), AlertFilter.FromQuery("nonsense", null, "p9", "x", "x", "1-2-3", "x"));
        Assert.Equal(new AlertFilter(), AlertFilter.FromQuery(null, null, "1", null, null, "x-99999999999999999999", null));
    }

    [Fact]
    public void Each_choice_changes_its_part_of_the_filter_and_goes_to_the_first_page()
    {
        AlertFilter? asked = null;
        var list = List(new AlertFilter(After: new AlertCursor(1, 5)), onFilter: filter => asked = filter);

        Button(list, "All").Click();
        Assert.Equal(new AlertFilter(Active: null), asked);
        Button(list, "P1 7").Click();
        Assert.Equal(new AlertFilter(Severity: Severity.P1), asked);
        Button(list, "By name").Click();
        Assert.Equal(new AlertFilter(IsGrouped: true), asked);
        list.Find("input[type=search]").Input("disk");
        list.WaitForAssertion(() => Assert.Equal(new AlertFilter(Search: "disk"), asked));
    }

    [Fact]
    public void A_column_sorts_the_list_and_a_second_click_reverses_it()
    {
        AlertFilter? asked = null;
        var list = List(new AlertFilter(After: new AlertCursor(1, 5)), filter => asked = filter, episodes: [AlertCardTests.Firing]);

        Assert.Equal(
            [("Severity", "ascending"), ("Name", "none"), ("Source", "none"), ("Age", "none")],
            list.FindAll("[role=columnheader]").Select(column => (TextOf(column), column.GetAttribute("aria-sort")!))
        );
        Button(list, "Severity").Click();
        Assert.Equal(new AlertFilter(IsDescending: true), asked);
        Button(list, "Age").Click();
        Assert.Equal(new AlertFilter(Sort: AlertSort.Age), asked);
        list = List(new AlertFilter(Sort: AlertSort.Name, IsDescending: true), filter => asked = filter, episodes: [AlertCardTests.Firing]);
        Assert.Equal("descending", list.FindAll("[role=columnheader]")[1].GetAttribute("aria-sort"));
        Button(list, "Name").Click();
        Assert.Equal(new AlertFilter(Sort: AlertSort.Name), asked);
    }

    [Theory]
    [InlineData(true, "", "No active alerts.")]
    [InlineData(false, "", "No ended alerts.")]
    [InlineData(null, "", "No alerts yet.")]
    [InlineData(true, "disk", "No alerts match “disk”.")]
    public void An_empty_list_says_why_it_is_empty(bool? active, string search, string expected) =>
        Assert.Equal(expected, TextOf(List(new AlertFilter(active, search)).Find(".empty")));

    [Fact]
    public void The_next_and_the_first_page_are_offered_if_there_are_any()
    {
        var asked = "";
        Assert.DoesNotContain(
            List(new AlertFilter()).FindAll("button"),
            button => TextOf(button).EndsWith("page", StringComparison.Ordinal)
        );
        var list = List(new AlertFilter(), hasOlder: true, onOlder: () => asked = "older");

        Assert.True(Button(list, "First page").HasAttribute("disabled"));
        Button(list, "Next page").Click();
        Assert.Equal("older", asked);
        Assert.Equal("10 in all", TextOf(list.Find(".pager > span")));
    }

    [Fact]
    public void Why_opens_and_closes_the_alert_beside_the_list()
    {
        AlertFilter? asked = null;
        var filter = new AlertFilter(Search: "disk");
        var list = List(filter, onFilter: one => asked = one, episodes: [AlertCardTests.Firing]);
        Assert.Equal("false", list.Find("button[aria-expanded]").GetAttribute("aria-expanded"));

        list.Find("button[aria-expanded]").Click();
        Assert.Equal(filter with { Open = AlertCardTests.Firing.Row }, asked);
        list = List(asked!, onFilter: one => asked = one, episodes: [AlertCardTests.Firing]);
        Assert.Equal("true", list.Find("button[aria-expanded]").GetAttribute("aria-expanded"));
        list.Find("button[aria-expanded]").Click();
        Assert.Equal(filter, asked);
    }

    [Fact]
    public void A_group_is_chosen_by_its_name()
    {
        AlertFilter? asked = null;
        var list = Render<AlertList>(parameters =>
            parameters
                .Add(l => l.Groups, [new AlertGroup("backup_failed", 125, 6, Severity.P2, Now.AddMinutes(-5))])
                .Add(l => l.Filter, new AlertFilter(Severity: Severity.P2, IsGrouped: true))
                .Add(l => l.FilterChanged, filter => asked = filter)
                .Add(l => l.Now, Now)
        );

        Assert.Equal("P2 backup_failed 125× 6 sources oldest for 5 min", TextOf(list.Find(".group")));
        Button(list, "backup_failed").Click();
        Assert.Equal(new AlertFilter(Search: "backup_failed", Severity: Severity.P2), asked);
    }

    private IRenderedComponent<AlertList> List(
        AlertFilter filter,
        Action<AlertFilter>? onFilter = null,
        bool hasOlder = false,
        Action? onOlder = null,
        IReadOnlyList<AlertView>? episodes = null
    ) =>
        Render<AlertList>(parameters =>
            parameters
                .Add(l => l.Episodes, episodes ?? [])
                .Add(l => l.Counts, new Dictionary<Severity, int> { [Severity.P1] = 7, [Severity.P3] = 3 })
                .Add(l => l.Filter, filter)
                .Add(l => l.FilterChanged, onFilter ?? (_ => { }))
                .Add(l => l.HasOlder, hasOlder)
                .Add(l => l.OnOlder, onOlder ?? (() => { }))
                .Add(l => l.Now, Now)
        );
}
