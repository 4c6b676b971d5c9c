using AutoTicket.Components.Alerts;
using Bunit;

namespace AutoTicket.Tests.Components;

public sealed class AlertListTests : ComponentTest
{
    [Theory]
    [InlineData(null, null, true, "")]
    [InlineData("all", "disk", false, "disk")]
    [InlineData("nonsense", null, true, "")]
    public void A_filter_is_kept_in_the_url(string? show, string? search, bool activeOnly, string text)
    {
        var filter = AlertFilter.FromQuery(show, search);

        Assert.Equal(new AlertFilter(activeOnly, text), filter);
        Assert.Equal(filter, AlertFilter.FromQuery(filter.ToQuery()["show"] as string, filter.ToQuery()["q"] as string));
    }

    [Fact]
    public void Active_only_and_search_change_the_filter()
    {
        AlertFilter? asked = null;
        var list = List(new AlertFilter(), onFilter: filter => asked = filter);

        list.Find("input[type=checkbox]").Change(false);
        Assert.Equal(new AlertFilter(ActiveOnly: false), asked);
        list.Find("input[type=search]").Input("disk");
        list.WaitForAssertion(() => Assert.Equal(new AlertFilter(Search: "disk"), asked));
    }

    [Theory]
    [InlineData(true, "", "No active alerts.")]
    [InlineData(false, "", "No alerts yet.")]
    [InlineData(true, "disk", "No alerts match the search.")]
    public void An_empty_list_says_why_it_is_empty(bool activeOnly, string search, string expected) =>
        Assert.Equal(expected, TextOf(List(new AlertFilter(activeOnly, search)).Find(".empty")));

    [Fact]
    public void Older_and_newer_are_offered_if_there_are_any()
    {
        var asked = "";
        Assert.DoesNotContain(List(new AlertFilter()).FindAll("button"), button => TextOf(button) is "Older" or "Newer");
        var list = List(new AlertFilter(), hasOlder: true, onOlder: () => asked = "older");

        Assert.True(Button(list, "Newer").HasAttribute("disabled"));
        Button(list, "Older").Click();
        Assert.Equal("older", asked);
    }

    private IRenderedComponent<AlertList> List(
        AlertFilter filter,
        Action<AlertFilter>? onFilter = null,
        bool hasOlder = false,
        Action? onOlder = null
    ) =>
        Render<AlertList>(parameters =>
            parameters
                .Add(l => l.Episodes, [])
                .Add(l => l.Filter, filter)
                .Add(l => l.FilterChanged, onFilter ?? (_ => { }))
                .Add(l => l.HasOlder, hasOlder)
                .Add(l => l.OnOlder, onOlder ?? (() => { }))
                .Add(l => l.Now, Now)
        );
}
