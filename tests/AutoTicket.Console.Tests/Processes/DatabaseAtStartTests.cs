using System.Net;
using AutoTicket.Sandbox;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

public sealed class DatabaseAtStartTests
{
    private const string Password = "correct horse battery staple";

    [Fact]
    public async Task A_database_that_is_down_at_start_holds_the_console_back_until_it_comes_up()
    {
        await using var cluster = await PostgresCluster.StartNewAsync();
        var url = await cluster.CreateDatabaseAsync();
        await cluster.StopAsync();
        await using var sandbox = await SandboxServer.StartAsync();
        var settings = ConsoleHost.SettingsOf(Consoles.CommonSettings(sandbox));
        settings["DATABASE_URL"] = url;

        await using var console = await ConsoleHost.StartAsync(sandbox: sandbox, settings: settings);

        Assert.Equal(HttpStatusCode.OK, (await console.GetAsync("/healthz/live")).Status);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await console.GetAsync("/healthz/ready")).Status);
        foreach (var path in new[] { "/api/status", "/console/status", "/login" })
        {
            var answer = await console.GetAsync(path);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.Status);
            Assert.NotNull(answer.Message.Headers.RetryAfter);
        }

        await cluster.StartAsync();
        await Eventually.TrueAsync(
            async () => (await console.GetAsync("/healthz/ready")).Status == HttpStatusCode.OK,
            "the console is ready"
        );
        Assert.Equal(HttpStatusCode.OK, (await console.GetAsync("/api/status")).Status);
        Assert.Equal(HttpStatusCode.OK, (await console.GetAsync("/console/status")).Status);
        await Eventually.TrueAsync(() => console.IsOnAsync(Flags.FlagNames.InvestigateFromStatus), "the flags are read");
    }

    [Fact]
    public async Task In_production_a_schema_that_is_behind_is_refused_until_migrate_has_run()
    {
        await using var database = await TestDatabase.CreateEmptyAsync(Database.Postgres);
        var settings = new Dictionary<string, string>(database.Settings);
        AssertRefused(await RunAsync(settings), "migrate");

        var first = await ConsoleProcess.RunToEndAsync(["migrate"], settings);
        var second = await ConsoleProcess.RunToEndAsync(["migrate"], settings);

        Assert.Equal((0, 0), (first.ExitCode, second.ExitCode));
        Assert.Contains("migrate: 0 migration(s) applied", second.Output, StringComparison.Ordinal);
        await using var db = database.Open();
        Assert.Empty(await db.Database.GetPendingMigrationsAsync());
        await using var console = await ConsoleHost.StartAsync(
            database,
            settings: ConsoleHost.SettingsOf(Production(settings)),
            environment: "Production"
        );
        Assert.Equal(HttpStatusCode.OK, (await console.GetAsync("/healthz/ready")).Status);
    }

    [Fact]
    public async Task Migrate_refuses_a_database_of_another_version_and_leaves_it_as_it_is()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var db = database.Open();
        await db.Database.ExecuteSqlAsync($"UPDATE \"__EFMigrationsHistory\" SET migration_id = '20261123000000_Initial'");

        AssertRefused(await ConsoleProcess.RunToEndAsync(["migrate"], database.Settings), "20261123000000_Initial", "DATABASE_URL");

        Assert.Equal(["20261123000000_Initial"], await db.Database.GetAppliedMigrationsAsync());
    }

    /// <summary>Heroku runs the release step at every change of a variable. A failing step would block the change of a flag.</summary>
    [Theory]
    [InlineData("release.1234", 0)]
    [InlineData("", 1)]
    public async Task Migrate_warns_when_the_database_cannot_be_reached_and_fails_except_on_heroku(string dyno, int exitCode)
    {
        var nobody = $"postgres://u:p@127.0.0.1:{LoopbackPort.Next()}/app";
        var settings = new Dictionary<string, string> { ["DATABASE_URL"] = nobody, ["DYNO"] = dyno };

        var result = await ConsoleProcess.RunToEndAsync(["migrate"], settings);

        Assert.Equal(exitCode, result.ExitCode);
        Assert.Contains(" WARNING ", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(" ERROR ", result.Output, StringComparison.Ordinal);
        Assert.Empty(result.Errors);
    }

    [Theory, BothDatabases]
    public async Task The_migrations_match_the_model(Database kind)
    {
        await using var database = await TestDatabase.CreateEmptyAsync(kind);
        await using var db = database.Open();

        Assert.False(db.Database.HasPendingModelChanges());
    }

    private static Dictionary<string, string> Production(Dictionary<string, string> settings) =>
        new(settings) { ["ASPNETCORE_ENVIRONMENT"] = "Production", ["CONSOLE_OPERATOR_PASSWORD_HASH"] = Security.Login.Hash(Password) };

    private static Task<ConsoleResult> RunAsync(Dictionary<string, string> settings) =>
        ConsoleProcess.RunToEndAsync([], Production(settings));

    private static void AssertRefused(ConsoleResult result, params string[] named)
    {
        Assert.True(result.ExitCode == 1, $"exit code {result.ExitCode}\n{result.Output}\n{result.Errors}");
        var line = Assert.Single(result.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.All(named, name => Assert.Contains(name, line, StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", result.Output + result.Errors, StringComparison.Ordinal);
    }
}
