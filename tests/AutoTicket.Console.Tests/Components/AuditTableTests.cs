using AutoTicket.Audit;
using AutoTicket.Components.Audit;
using Bunit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace AutoTicket.Tests.Components;

public sealed class AuditTableTests : ComponentTest
{
    private readonly FakeTimeProvider _clock = new(Now);

    public AuditTableTests() => Services.AddSingleton<TimeProvider>(_clock);

    [Theory]
    [InlineData("""{"flag":"FLAG_X","enabled":true,"by":null}""", "flag FLAG_X enabled yes")]
    [InlineData("""{"a":{"b":[1,2]},"n":1.50}""", """a {"b":[1,2]} n 1.50""")]
    [InlineData("""{"a":1,"a":2}""", "a 1 a 2")]
    [InlineData("""{"html":"<script>alert(1)</script>"}""", "html <script>alert(1)</script>")]
    [InlineData("""{"lone":"\ud800"}""", """lone "\ud800" """)]
    [InlineData("{}", "")]
    [InlineData("[1]", "payload [1]")]
    [InlineData("null", "payload none")]
    [InlineData("not json", "payload not json")]
    [InlineData("", "payload")]
    public void Any_payload_can_be_read(string payload, string expected)
    {
        var table = Table([Entry(payload)]);

        Assert.Equal($"action console.flags.changed actor mara {expected}".Trim(), TextOf(table.Find("tbody dl")));
        Assert.Empty(table.FindAll("script"));
    }

    [Fact]
    public void A_deeply_nested_payload_is_shown_whole()
    {
        var deep = new string('[', 1000) + new string(']', 1000);

        Assert.EndsWith($" payload {deep}", TextOf(Table([Entry(deep)]).Find("tbody dl")), StringComparison.Ordinal);
    }

    [Fact]
    public void Changing_one_filter_keeps_the_others()
    {
        AuditFilter? chosen = null;
        var table = Table([], new AuditFilter(Actor: "mara"), filter => chosen = filter);

        table.Find("input[list]").Change("console.flags.changed");
        Assert.Equal(new AuditFilter("console.flags.changed", "mara"), chosen);

        table.Find("input[type=datetime-local]").Change("2026-03-01T02:00");
        Assert.Equal(new AuditFilter(null, "mara", Now.AddHours(-1)), chosen);

        // The page may have been open for hours.
        _clock.Advance(TimeSpan.FromHours(2));
        Button(table, "Last 12 h").Click();
        Assert.Equal(new AuditFilter(null, "mara", Now.AddHours(-10)), chosen);

        Button(table, "Flags").Click();
        Assert.Equal(new AuditFilter("console.flags", "mara"), chosen);
    }

    [Fact]
    public void The_kinds_of_the_filter_have_every_action_once()
    {
        var named = AuditKind.All.SelectMany(kind => AuditActions.Named(kind.Prefix)).ToList();

        Assert.Equal(AuditActions.All.Order(), named.Order());
        Assert.Equal([AuditActions.FlagChanged], AuditActions.Named(AuditActions.FlagChanged));
        Assert.Equal(["console.flag"], AuditActions.Named("console.flag"));
    }

    [Fact]
    public void The_details_lead_to_the_same_action_and_to_the_same_actor()
    {
        var links = Table([Entry("{}")]).FindAll("tbody dl a").Select(link => link.GetAttribute("href"));

        Assert.Equal(["/console/audit?action=console.flags.changed", "/console/audit?actor=mara"], links);
    }

    [Fact]
    public void A_filter_is_kept_in_the_url()
    {
        AuditFilter[] filters = [new(), new("console.flags.changed", "token:a & b", Now.AddDays(-1), Now, 17)];

        Assert.All(
            filters,
            filter =>
            {
                var query = filter.ToQuery();
                Assert.Equal(
                    filter,
                    AuditFilter.FromQuery(
                        (string?)query["action"],
                        (string?)query["actor"],
                        (string?)query["from"],
                        (string?)query["to"],
                        query["before"]?.ToString()
                    )
                );
            }
        );
        Assert.Equal(new AuditFilter(), AuditFilter.FromQuery(" ", null, "yesterday", "25:00", "x"));
    }

    [Fact]
    public void A_surface_an_alert_and_a_ticket_are_links_and_a_script_is_not()
    {
        var table = Table([
            Entry("""{"surface":"shop","alert_key":"0123456789abcdef","url":"https://desk.example.org/7"}"""),
            Entry("""{"surface":"shop/../x","url":"javascript:alert(1)","actor":"mara"}"""),
        ]);

        Assert.Equal(
            ["/console/status/shop", "/console/alerts/0123456789abcdef", "https://desk.example.org/7"],
            table.FindAll("tbody dd a:not([href^='/console/audit'])").Select(link => link.GetAttribute("href"))
        );
    }

    [Fact]
    public void Paging_is_enabled_only_if_there_are_more_entries()
    {
        AuditFilter? chosen = null;
        var table = Render<AuditTable>(parameters =>
            parameters
                .Add(t => t.Rows, [Entry("{}")])
                .Add(t => t.Filter, new AuditFilter())
                .Add(t => t.HasOlder, true)
                .Add(t => t.FilterChanged, filter => chosen = filter)
                .Add(t => t.MayExport, true)
        );

        Assert.True(Button(table, "First page").HasAttribute("disabled"));
        Button(table, "Next page").Click();
        Assert.Equal(new AuditFilter(Before: 1), chosen);
        table.Render(parameters => parameters.Add(t => t.Filter, new AuditFilter("a", Before: 1)));
        Button(table, "First page").Click();
        Assert.Equal(new AuditFilter("a"), chosen);
        Assert.Equal("/api/audit.csv?action=a", table.Find("a[download]").GetAttribute("href"));
    }

    private static AuditEntry Entry(string payload) =>
        new()
        {
            Id = 1,
            CreatedAt = Now,
            Action = AuditActions.FlagChanged,
            Actor = "mara",
            Payload = payload,
        };

    private IRenderedComponent<AuditTable> Table(AuditEntry[] rows, AuditFilter? filter = null, Action<AuditFilter>? onFilter = null) =>
        Render<AuditTable>(parameters =>
            parameters
                .Add(t => t.Rows, rows)
                .Add(t => t.Filter, filter ?? new AuditFilter())
                .Add(t => t.FilterChanged, onFilter ?? (_ => { }))
                .Add(t => t.Actions, [AuditActions.FlagChanged])
        );
}
