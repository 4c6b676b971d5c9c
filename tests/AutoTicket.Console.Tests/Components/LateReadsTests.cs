using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Components.Details;
using AutoTicket.Components.Pages;
using AutoTicket.Data;
using AutoTicket.Diagnostics;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Incidents;
using AutoTicket.Intake;
using AutoTicket.Mailbox;
using AutoTicket.Maintenance;
using AutoTicket.Sandbox;
using AutoTicket.Security;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using AutoTicket.Tickets;
using Bunit;
using Microsoft.AspNetCore.Components;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Components;

/// <summary>Pages whose reads have not been answered yet, fail, or are answered after another thing was chosen.</summary>
public sealed class LateReadsTests : ComponentTest, IAsyncLifetime
{
    private static readonly DateTimeOffset Opened = Now.AddHours(-1);

    private TestDatabase _database = null!;
    private ConsoleHost _console = null!;
    private Contexts _contexts = null!;
    private AlertQueries _alerts = null!;

    async Task IAsyncLifetime.InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(Database.Sqlite);
        // By the real clock the alerts would be older than their retention.
        _console = await ConsoleHost.StartAsync(_database, clock: new StillClock(Now));
        _contexts = new(_database);
        var clock = _console.Get<TimeProvider>();
        _alerts = new(
            _contexts,
            _console.Get<IOptions<AlertsOptions>>(),
            _console.Get<SurfaceList>(),
            clock,
            _console.Get<AlertMutes>(),
            _console.Get<DatabaseSignals>()
        );
        Services
            .AddSingleton(clock)
            .AddSingleton(_console.Get<IHostApplicationLifetime>())
            .AddSingleton(new CircuitAuthorization(null!, null!, null!))
            .AddSingleton(_console.Get<Snoozer>())
            .AddSingleton(_console.Get<MaintenancePlanner>())
            .AddSingleton(_console.Get<AlertMutes>())
            .AddSingleton(_console.Get<TicketTaker>())
            .AddSingleton(_console.Get<StatusBoard>())
            .AddSingleton(_console.Get<OpenTickets>())
            .AddSingleton(_console.Get<TicketActivityReader>())
            .AddSingleton(_console.Get<ConsoleAddress>())
            .AddSingleton(_console.Get<AttentionWatch>())
            .AddSingleton(_console.Get<ParkedAlerts>())
            .AddSingleton(_alerts)
            .AddSingleton(new AuditQueries(_contexts, NullLogger<AuditQueries>.Instance))
            .AddSingleton(new SurfaceTrends(_contexts, clock))
            .AddSingleton(
                new IncidentQueries(
                    _contexts,
                    _console.Get<StatusBoard>(),
                    _console.Get<FlagWatch>(),
                    _console.Get<IOptions<FreeScoutOptions>>(),
                    clock
                )
            );
    }

    async Task IAsyncLifetime.DisposeAsync()
    {
        _alerts.Dispose();
        await DisposeAsync();
        await _console.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_history_is_unreadable_only_after_a_read_failed_and_that_of_another_surface_is_never_shown()
    {
        var hangs = _contexts.Hangs = new();
        var section = Render<SurfaceTrendSection>(parameters => parameters.Add(s => s.SurfaceKey, "pay"));
        Assert.EndsWith("Reading…", TextOf(section.Find("section")), StringComparison.Ordinal);
        await AnswerAsync(section, hangs);
        section.WaitForAssertion(() => Assert.True(section.HasComponent<TrendChart>()));

        _contexts.IsAway = true;
        section.Render(parameters => parameters.Add(s => s.SurfaceKey, "shop"));
        section.WaitForAssertion(() =>
            Assert.EndsWith(
                "The history can't be read now: the console's database can't be reached.",
                TextOf(section.Find("section")),
                StringComparison.Ordinal
            )
        );

        _contexts.IsAway = false;
        section.Render(parameters => parameters.Add(s => s.SurfaceKey, "pay"));
        section.WaitForAssertion(() => Assert.True(section.HasComponent<TrendChart>()));
    }

    [Fact]
    public async Task A_history_of_another_range_is_not_shown_for_the_chosen_one()
    {
        var section = Render<SurfaceTrendSection>(parameters => parameters.Add(s => s.SurfaceKey, "pay"));
        section.WaitForAssertion(() => Assert.True(section.HasComponent<TrendChart>()));

        _contexts.IsAway = true;
        await Button(section, "7 d").ClickAsync();

        section.WaitForAssertion(() => Assert.False(section.HasComponent<TrendChart>()));
    }

    [Fact]
    public async Task Records_are_missing_only_after_they_were_read_and_those_of_another_surface_are_never_shown()
    {
        const string Unreadable = "Can't be read now: the console's database can't be reached.";
        await AddAsync("disk_full", "pay", conversation: 5);
        var hangs = _contexts.Hangs = new();
        var section = Render<SurfaceRecordsSection>(parameters => parameters.Add(s => s.SurfaceKey, "shop"));
        Assert.Equal(["Reading…", "Reading…", "Reading…"], Notes());

        // The answer about the first surface comes after the second one was chosen and read.
        _contexts.Hangs = null;
        section.Render(parameters => parameters.Add(s => s.SurfaceKey, "pay"));
        section.WaitForAssertion(() => Assert.Contains("#5", section.Markup, StringComparison.Ordinal));
        await AnswerAsync(section, hangs);
        Assert.Contains("disk_full", section.Markup, StringComparison.Ordinal);
        Assert.Contains("#5", section.Markup, StringComparison.Ordinal);

        _contexts.IsAway = true;
        section.Render(parameters => parameters.Add(s => s.SurfaceKey, "shop"));
        section.WaitForAssertion(() => Assert.Equal([Unreadable, Unreadable, Unreadable], Notes()));
        Assert.DoesNotContain("disk_full", section.Markup, StringComparison.Ordinal);

        _contexts.IsAway = false;
        section.Render(parameters => parameters.Add(s => s.SurfaceKey, "mail"));
        section.WaitForAssertion(() =>
            Assert.Equal(["No alerts about this surface are stored.", "No tickets of this surface are stored."], Notes())
        );

        IEnumerable<string> Notes() =>
            section.FindAll("p").Select(TextOf).Where(text => !text.StartsWith("All ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_incident_that_ends_between_two_reads_is_listed_once()
    {
        await AddAsync("disk_full", "pay");
        var first = _contexts.Hangs = new();
        var section = Render<SurfaceRecordsSection>(parameters => parameters.Add(s => s.SurfaceKey, "pay"));
        var second = _contexts.Hangs = new();
        await section.InvokeAsync(first.SetResult);
        await using (var db = _database.Open())
        {
            await db.Alerts.ExecuteUpdateAsync(set =>
                set.SetProperty(alert => alert.Status, AlertStatus.Resolved).SetProperty(alert => alert.EndedAt, Now)
            );
        }

        await AnswerAsync(section, second);

        section.WaitForAssertion(() =>
            Assert.Contains(
                "disk_full",
                TextOf(Assert.Single(section.FindAll("[aria-label^='Incidents'] tbody tr"))),
                StringComparison.Ordinal
            )
        );
    }

    [Theory]
    [InlineData(typeof(IncidentsPage), "No open incidents.")]
    [InlineData(typeof(AlertsPage), "No active alerts.")]
    [InlineData(typeof(AuditPage), "No entries yet.")]
    public async Task A_list_is_empty_only_after_it_was_read(Type page, string empty)
    {
        await using (var db = _database.Open())
        {
            await db.AuditLog.ExecuteDeleteAsync();
        }

        _contexts.IsAway = true;
        var unread = Render<DynamicComponent>(parameters => parameters.Add(d => d.Type, page));
        unread.WaitForAssertion(() => Assert.Contains("can't be reached", TextOf(unread.Find(".mud-alert")), StringComparison.Ordinal));
        Assert.DoesNotContain(empty, unread.Markup, StringComparison.Ordinal);
        Assert.DoesNotContain("You see the last", unread.Markup, StringComparison.Ordinal);

        _contexts.IsAway = false;
        var hangs = _contexts.Hangs = new();
        var list = Render<DynamicComponent>(parameters => parameters.Add(d => d.Type, page));
        Assert.DoesNotContain(empty, list.Markup, StringComparison.Ordinal);
        await AnswerAsync(list, hangs);
        list.WaitForAssertion(() => Assert.Contains(empty, list.Markup, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(typeof(IncidentsPage), "Ended", "Open")]
    [InlineData(typeof(AlertsPage), "By name", "By name")]
    [InlineData(typeof(AlertsPage), "Ended", "Active")]
    [InlineData(typeof(AuditPage), "Flags", "All")]
    public async Task What_was_read_with_another_filter_is_not_shown_while_the_database_is_away(Type page, string other, string back)
    {
        await AddAsync("disk_full");
        await using (var db = _database.Open())
        {
            db.AuditLog.Add(
                new()
                {
                    CreatedAt = Opened,
                    Action = AuditActions.SignedOut,
                    Actor = "disk_full",
                    Payload = """{"why":"signed out"}""",
                }
            );
            await db.SaveChangesAsync();
        }

        var list = Render<DynamicComponent>(parameters => parameters.Add(d => d.Type, page));
        list.WaitForAssertion(() => Assert.Contains("disk_full", list.Markup, StringComparison.Ordinal));

        _contexts.IsAway = true;
        await ChooseAsync(other);
        list.WaitForAssertion(() => Assert.Contains("Can't be read now.", list.Markup, StringComparison.Ordinal));
        Assert.DoesNotContain("disk_full", list.Markup, StringComparison.Ordinal);
        Assert.DoesNotContain("You see the last", list.Markup, StringComparison.Ordinal);
        Assert.All(list.FindAll(".count"), count => Assert.Equal("", TextOf(count)));

        await ChooseAsync(back);
        list.WaitForAssertion(() => Assert.Contains("You see the last", list.Markup, StringComparison.Ordinal));
        Assert.Contains("disk_full", list.Markup, StringComparison.Ordinal);

        Task ChooseAsync(string choice) =>
            list.InvokeAsync(() => list.FindAll("button.choice").First(button => TextOf(button) == choice).ClickAsync());
    }

    [Theory, InlineData(typeof(IncidentPage)), InlineData(typeof(AlertPage))]
    public async Task A_late_answer_about_another_incident_or_alert_is_dropped_and_its_rows_are_not_kept_in_an_outage(Type page)
    {
        var (first, second) = (await AddAsync("disk_full"), await AddAsync("shop_slow"));
        var hangs = _contexts.Hangs = new();
        var shown = Render<DynamicComponent>(parameters => parameters.Add(d => d.Type, page).Add(d => d.Parameters, Of(first)));

        _contexts.Hangs = null;
        shown.Render(parameters => parameters.Add(d => d.Parameters, Of(second)));
        shown.WaitForAssertion(() => Assert.Equal("shop_slow", TextOf(shown.Find("h1"))));
        await AnswerAsync(shown, hangs);
        Assert.Equal("shop_slow", TextOf(shown.Find("h1")));

        _contexts.IsAway = true;
        shown.Render(parameters => parameters.Add(d => d.Parameters, Of(first)));
        shown.WaitForAssertion(() => Assert.Contains("can't be reached", TextOf(shown.Find(".mud-alert")), StringComparison.Ordinal));
        Assert.DoesNotContain("shop_slow", shown.Markup, StringComparison.Ordinal);
        Assert.DoesNotContain("last state", shown.Markup, StringComparison.Ordinal);

        static Dictionary<string, object> Of(string key) => new() { ["Key"] = key };
    }

    [Fact]
    public async Task What_FreeScout_answers_about_another_incident_is_dropped()
    {
        var (first, second) = (await AddAsync("disk_full", conversation: 5), await AddAsync("shop_slow", conversation: 6));
        var faults = _console.Sandbox.Faults;
        using var slow = faults.Add(new(FaultKind.Delay) { Match = Conversation(5) });
        using var broken = faults.Add(new(FaultKind.Status) { Match = Conversation(6) });
        var page = Render<IncidentPage>(parameters => parameters.Add(p => p.Key, first));
        await Eventually.TrueAsync(() => slow.Hits > 0, "FreeScout is asked about the first incident");

        page.Render(parameters => parameters.Add(p => p.Key, second));
        page.WaitForAssertion(() => Assert.Contains("FreeScout could not be asked", page.Markup, StringComparison.Ordinal));
        slow.Dispose();
        // The page waits for the same answer.
        await _console.Get<TicketActivityReader>().ReadAsync([5]);
        await page.InvokeAsync(() => { });

        Assert.Contains("FreeScout could not be asked", page.Markup, StringComparison.Ordinal);

        static FaultMatch Conversation(int id) => new("GET", $"{FreeScoutStandIn.ApiPath}/conversations/{id}");
    }

    private async Task AnswerAsync<T>(IRenderedComponent<T> component, TaskCompletionSource hangs)
        where T : IComponent
    {
        _contexts.Hangs = null;
        // Runs what waited for the answer, too: SQLite answers at once.
        await component.InvokeAsync(hangs.SetResult);
    }

    /// <returns>The key of the alert, and of its incident.</returns>
    private async Task<string> AddAsync(string name, string? surface = null, long? conversation = null)
    {
        var id = AlertIdentity.Of("test", name, null, []);
        await using var db = _database.Open();
        db.Alerts.Add(
            new()
            {
                AlertId = id,
                LogicalId = id,
                Status = AlertStatus.Firing,
                Source = "test",
                Name = name,
                Surface = surface,
                Severity = Severity.P3,
                Summary = $"{name} on db1",
                StartedAt = Opened,
                OpenedAt = Opened,
                SeenAt = Opened,
                ExpiresAt = Now.AddDays(1),
            }
        );
        if (conversation is { } number)
        {
            db.Tickets.Add(
                new()
                {
                    Marker = $"at-{number:D10}",
                    DedupKey = id,
                    SurfaceKey = surface,
                    Severity = Severity.P3,
                    State = TicketState.Open,
                    FiledBy = "alert:test",
                    Subject = "[P3] test",
                    AuditAction = AuditActions.AlertTicketFiled,
                    Tag = TicketTags.Alert,
                    PostedAt = Opened.AddMinutes(1),
                    ConversationId = number,
                    Number = number,
                    ConfirmedAt = Opened.AddMinutes(1),
                }
            );
        }

        await db.SaveChangesAsync();
        return AlertIdentity.KeyOf(id);
    }
}
