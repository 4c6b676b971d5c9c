using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Alerts;

public sealed class AlertQueriesTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 3, 0, 0, TimeSpan.Zero);

    [Theory, BothDatabases]
    public async Task The_worst_active_alerts_come_first_and_every_page_goes_on_where_the_last_one_ended(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var services = database.AsTheConsole();
        var contexts = services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>();
        await using (var db = await contexts.CreateDbContextAsync())
        {
            db.AddRange(
                Alert("a", "disk", Severity.P3),
                Alert("b", "disk", Severity.P1, source: "other") with
                {
                    StartedAt = Now.AddMinutes(1),
                },
                Alert("c", "backup", Severity.P2),
                Alert("d", "backup", Severity.P2, AlertStatus.Resolved),
                Alert("e", "disk", Severity.P1) with
                {
                    StartedAt = Now.AddMinutes(-1),
                },
                Alert("f", Observation.SurfaceOutage, Severity.P4, source: Observation.Console) with
                {
                    Surface = "pay",
                    Summary = "Pay: cards is down: HTTP 503",
                },
                Alert("g", "disk", Severity.P2, AlertStatus.Expired)
            );
            await db.SaveChangesAsync();
        }

        using var signals = new NoSignals();
        using var queries = Queries(contexts, signals);

        Assert.Equal("ebcafgd", await PagesAsync(AlertSort.Severity));
        Assert.Equal("gdfaceb", await PagesAsync(AlertSort.Severity, isDescending: true));
        Assert.Equal("dcgebaf", await PagesAsync(AlertSort.Name));
        Assert.Equal("fgebadc", await PagesAsync(AlertSort.Name, isDescending: true));
        Assert.Equal("fbgedca", await PagesAsync(AlertSort.Source));
        Assert.Equal("gedcabf", await PagesAsync(AlertSort.Source, isDescending: true));
        Assert.Equal("bgfdcae", await PagesAsync(AlertSort.Age));
        Assert.Equal("egfdcab", await PagesAsync(AlertSort.Age, isDescending: true));
        Assert.Equal("gfedcba", await PagesAsync(AlertSort.Newest));
        Assert.Equal(["g", "d"], await IdsAsync(new AlertQuery(Active: false)));
        Assert.Equal(["c"], await IdsAsync(new AlertQuery(Active: true, Severity: Severity.P2)));
        Assert.Equal(
            [("backup", "backup"), (Observation.SurfaceOutage, "Pay: cards is down")],
            (await queries.ReadAsync(new AlertQuery(Active: true), 10, default))!
                .Where(alert => alert.AlertId[0] is 'c' or 'f')
                .Select(alert => (alert.Name, alert.Title))
                .Order()
        );
        var counts = (
            await queries.CountAsync(new AlertQuery(Active: true, Severity: Severity.P2, After: new AlertCursor(1, 1)), default)
        )!;
        Assert.Equal(
            [(Severity.P1, 2), (Severity.P2, 1), (Severity.P3, 1), (Severity.P4, 1)],
            counts.Select(pair => (pair.Key, pair.Value)).Order()
        );
        Assert.Equal(
            [
                new AlertGroup("disk", 3, 2, Severity.P1, Now.AddMinutes(-1)),
                new AlertGroup("backup", 1, 1, Severity.P2, Now),
                new AlertGroup(Observation.SurfaceOutage, 1, 1, Severity.P4, Now),
            ],
            await queries.GroupAsync(new AlertQuery(Active: true), 10, default)
        );

        async Task<string> PagesAsync(AlertSort sort, bool isDescending = false)
        {
            List<string> ids = [];
            AlertCursor? after = null;
            do
            {
                var query = new AlertQuery(Sort: sort, IsDescending: isDescending, After: after);
                var page = (await queries.ReadAsync(query, 2, default))!;
                ids.AddRange(page.Select(alert => alert.AlertId.TrimEnd('0')));
                after = page.Count is 0 ? null : AlertCursor.Of(page[^1]);
            } while (after is not null);

            return string.Concat(ids);
        }

        async Task<IEnumerable<string>> IdsAsync(AlertQuery query) =>
            (await queries.ReadAsync(query, 10, default))!.Select(alert => alert.AlertId.TrimEnd('0'));
    }

    /// <summary>The decisions of all shown alerts are read together, up to a limit.</summary>
    [Theory, BothDatabases]
    public async Task Earlier_episodes_of_a_noisy_alert_don_t_cut_off_the_decisions_of_another_one(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var services = database.AsTheConsole();
        var contexts = services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>();
        var (quiet, noisy) = (Alert("x", "disk", Severity.P1), Alert("y", "backup", Severity.P2));
        await using (var db = await contexts.CreateDbContextAsync())
        {
            db.AddRange(quiet, noisy);
            await db.SaveChangesAsync();
            var (x, y) = (await RowAsync(db, quiet), await RowAsync(db, noisy));
            db.Add(Decided(quiet, x, Now, "Auto-ticketing is off."));
            db.AddRange(Enumerable.Range(1, 150).Select(n => Decided(noisy, y + n, Now.AddSeconds(n), "An earlier episode.")));
            await db.SaveChangesAsync();
        }

        using var signals = new NoSignals();
        using var queries = Queries(contexts, signals);
        var read = (await queries.ReadAsync(new AlertQuery(Active: true), 2, default))!;

        Assert.Equal(
            [("x", "No ticket and no DM. Ticket: flag off. Auto-ticketing is off. DM: not tried yet."), ("y", "No ticket and no DM yet.")],
            read.Select(alert => (alert.Name == "disk" ? "x" : "y", alert.Verdict.Split(" If ")[0])).Order()
        );
        Assert.All(read, alert => Assert.True(alert.ReachesHooks));

        static Task<long> RowAsync(AutoTicketDbContext db, Alert alert) =>
            db.Alerts.Where(row => row.AlertId == alert.AlertId).Select(row => row.Id).SingleAsync();

        static Decision Decided(Alert alert, long row, DateTimeOffset at, string detail) =>
            new()
            {
                AlertId = alert.AlertId,
                AlertRow = row,
                Path = DecisionSources.Ticket,
                Word = DecisionWord.FlagOff,
                Detail = detail,
                FirstAt = at,
                LastAt = at,
            };
    }

    private static AlertQueries Queries(IDbContextFactory<AutoTicketDbContext> contexts, DatabaseSignals signals)
    {
        var surfaces = new SurfaceList([
            new Surface
            {
                Key = "pay",
                Name = "Pay: cards",
                Url = new Uri("https://pay.example/"),
            },
        ]);
        var board = new StatusBoard(surfaces, Options.Create(new StatusOptions()), TimeProvider.System, NullLogger<StatusBoard>.Instance);
        return new AlertQueries(
            contexts,
            Options.Create(new AlertsOptions()),
            surfaces,
            TimeProvider.System,
            new AlertMutes(board, TimeProvider.System),
            signals
        );
    }

    private static Alert Alert(
        string id,
        string name,
        Severity severity,
        AlertStatus status = AlertStatus.Firing,
        string source = "test"
    ) =>
        new()
        {
            AlertId = id.PadRight(16, '0'),
            LogicalId = id,
            Status = status,
            Source = source,
            Name = name,
            Severity = severity,
            Summary = name,
            StartedAt = Now,
            OpenedAt = Now,
            SeenAt = Now,
            EndedAt = status == AlertStatus.Firing ? null : Now,
        };

    private sealed class NoSignals() : DatabaseSignals(TimeProvider.System, NullLogger<DatabaseSignals>.Instance)
    {
        protected override Task ListenAsync(CancellationToken stoppingToken) => Task.CompletedTask;
    }
}
