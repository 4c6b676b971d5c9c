using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Processes;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace AutoTicket.Tests.Storage;

/// <summary>The console connects through Debian's PgBouncer in transaction mode, where each transaction may use another
/// connection.</summary>
public sealed class PgBouncerTests(PgBouncerTests.Pooler pooler) : IClassFixture<PgBouncerTests.Pooler>
{
    [Fact]
    public async Task A_pooler_that_the_address_does_not_declare_stops_the_start_with_what_to_change()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        var settings = new Dictionary<string, string> { ["DATABASE_URL"] = pooler.Url };

        var refusal = await ConsoleHost.RefusalAsync(pooler.Database, sandbox, settings, "Development");

        Assert.Contains("DATABASE_URL leads to a connection pooler", refusal, StringComparison.Ordinal);
        Assert.Contains("direct address", refusal, StringComparison.Ordinal);
        Assert.Contains("pgbouncer=true", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_consoles_behind_a_pooler_see_each_others_changes_without_a_listen()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        sandbox.Surface("shop").Answer(503);
        var settings = ConsoleHost.SurfaceSettings(0, "shop", sandbox.Surface("shop").Url);
        settings["DATABASE_URL"] = pooler.DeclaredUrl;
        // The surface's own alert is below the threshold, so that only the click files a ticket.
        settings["Alerts:NotifySeverity"] = "P1";
        await using var one = await ConsoleHost.StartAsync(pooler.Database, sandbox, settings);
        await using var other = await ConsoleHost.StartAsync(pooler.Database, sandbox, settings);

        for (var i = 0; i < 10; i++)
        {
            var isOn = i % 2 == 0;
            await one.SetFlagAsync(FlagNames.AlertsAutoTicket, isOn);
            await Eventually.TrueAsync(
                async () => await other.IsOnAsync(FlagNames.AlertsAutoTicket) == isOn,
                "the other console reads the flag",
                Eventually.OnABusyMachine(TimeSpan.FromSeconds(1))
            );
        }

        await Eventually.TrueAsync(
            () => new[] { one, other }.All(console => console.Get<StatusBoard>().All().Single().Status == SurfaceStatus.Down),
            "both boards show the surface down"
        );
        Assert.Equal("filed", (await one.InvestigateAsync("shop")).Disposition);
        Assert.Equal("already_open", (await other.InvestigateAsync("shop")).Disposition);
        // Enough requests to prepare statements, and more at once than the pooler has connections.
        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => (i % 2 == 0 ? one : other).GetAsync("/api/alerts")));
        Assert.All(answers, answer => Assert.True(answer.Message.IsSuccessStatusCode, answer.Text));
    }

    [Fact]
    public async Task A_commit_is_noticed_through_a_pooler_before_the_regular_read()
    {
        using var signals = new PostgresSignals(
            DatabaseUrl.ToConnectionString(pooler.DeclaredUrl),
            // It stands still, so the regular read never comes.
            new StillClock(),
            NullLogger<DatabaseSignals>.Instance
        );
        var raised = 0;
        using var subscription = signals.Subscribe(DatabaseSignals.Flags, () => Interlocked.Increment(ref raised));
        await signals.StartAsync(CancellationToken.None);
        await Eventually.TrueAsync(() => Volatile.Read(ref raised) > 0, "the first signal was raised");
        for (var i = 0; i < 5; i++)
        {
            var before = Volatile.Read(ref raised);
            await using var db = pooler.Database.Open();
            db.FeatureFlags.Add(new FlagRow { Name = $"FLAG_{i}" });
            await db.SaveChangesAsync();
            await Eventually.TrueAsync(() => Volatile.Read(ref raised) > before, "the commit is noticed");
        }

        await signals.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task A_pooler_that_loses_its_server_is_an_outage_that_ends_by_itself()
    {
        await using var line = TcpProxy.To(pooler.Database.Location);
        await using var own = await Pooler.StartPgBouncerAsync(line.Through(pooler.Database.Location));
        var url = $"{pooler.Through(own.Port)}?pgbouncer=true";
        var settings = new ConfigurationBuilder().AddInMemoryCollection([new("DATABASE_URL", url)]).Build();
        await using var services = new ServiceCollection().AddDatabase(settings).BuildServiceProvider();
        var contexts = services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>();
        await AskAsync(contexts);

        line.Cut();
        for (var i = 0; i < 3; i++)
        {
            var outage = await Assert.ThrowsAnyAsync<Exception>(() => AskAsync(contexts));
            Assert.True(Outages.IsOutage(outage), outage.ToString());
        }

        line.Restore();
        await Eventually.TrueAsync(async () => await AskAsync(contexts) == 1, "the database answers again");
    }

    private static async Task<int> AskAsync(IDbContextFactory<AutoTicketDbContext> contexts)
    {
        await using var db = await contexts.CreateDbContextAsync();
        return (await db.QueryAsync($"SELECT 1", row => row.GetInt32(0), CancellationToken.None))[0];
    }

    public sealed class Pooler : IAsyncLifetime
    {
        private PgBouncer _process = null!;

        internal TestDatabase Database { get; private set; } = null!;

        /// <summary>The pooler's URL without <c>pgbouncer=true</c>.</summary>
        internal string Url => Through(_process.Port);

        internal string DeclaredUrl => $"{Url}?pgbouncer=true";

        public async Task InitializeAsync()
        {
            Database = await TestDatabase.CreateAsync(Kit.Database.Postgres);
            _process = await StartPgBouncerAsync(Database.Location);
        }

        public async Task DisposeAsync()
        {
            await _process.DisposeAsync();
            await Database.DisposeAsync();
        }

        internal string Through(int port) =>
            new UriBuilder(Database.Location) { Port = port }
                .Uri
                .AbsoluteUri;

        /// <param name="location">PostgreSQL's URL.</param>
        internal static async Task<PgBouncer> StartPgBouncerAsync(string location)
        {
            var port = LoopbackPort.Next();
            var configuration = $"""
                [databases]
                * = host=127.0.0.1 port={new Uri(location).Port}
                [pgbouncer]
                listen_addr = 127.0.0.1
                listen_port = {port}
                unix_socket_dir =
                auth_type = plain
                auth_file = users.txt
                pool_mode = transaction
                default_pool_size = 10
                server_login_retry = 1
                """;
            var user = new Uri(location).UserInfo.Split(':');
            string[] asUser = Environment.IsPrivilegedProcess ? ["-u", "postgres"] : [];
            var users = $"\"{user[0]}\" \"{user[1]}\"";
            var files = new Dictionary<string, string> { ["pgbouncer.ini"] = configuration, ["users.txt"] = users };
            var process = ToolProcess.Start("/usr/sbin/pgbouncer", files, [.. asUser, "pgbouncer.ini"]);
            await process.Output.WaitForLineAsync(line => line.Contains("process up", StringComparison.Ordinal), Eventually.Patience);
            return new PgBouncer(process, port);
        }
    }

    internal sealed record PgBouncer(ToolProcess Process, int Port) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Process.DisposeAsync();
    }
}
