using AutoTicket.Components;
using AutoTicket.Components.Alerts;
using Bunit;

namespace AutoTicket.Tests.Components;

public sealed class ExportLinksTests : ComponentTest
{
    [Fact]
    public void Both_links_lead_to_the_export_of_what_the_filter_shows()
    {
        var links = Render<ExportLinks>(parameters =>
            parameters
                .Add(l => l.Table, "alerts")
                .Add(l => l.Filter, new AlertFilter(Active: false, Search: "a&b c", AutoTicket.Surfaces.Severity.P1).ToQuery())
        );

        Assert.Equal(
            [
                ("CSV", "/api/alerts.csv?show=ended&q=a%26b%20c&severity=p1"),
                ("JSON", "/api/alerts.json?show=ended&q=a%26b%20c&severity=p1"),
            ],
            links.FindAll("a[download]").Select(link => (TextOf(link), link.GetAttribute("href")!))
        );
    }

    [Fact]
    public void On_a_page_with_several_tables_the_links_name_theirs()
    {
        var links = Render<ExportLinks>(parameters => parameters.Add(l => l.Table, "alerts/parked").Add(l => l.Of, "the parked alerts"));

        Assert.Equal("Download CSV of the parked alerts · JSON of the parked alerts", TextOf(links.Find(".export")));
        Assert.Equal(
            ["/api/alerts/parked.csv", "/api/alerts/parked.json"],
            links.FindAll("a[download]").Select(link => link.GetAttribute("href"))
        );
    }
}
