using AutoTicket.Sandbox;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Storage;

/// <summary>An unusable database stops a start in Production with a sentence that names the variable.</summary>
public sealed class UnusableDatabaseTests : IAsyncLifetime
{
    private static readonly string PasswordHash = Security.Login.Hash("correct horse battery staple");

    private TestDatabase _database = null!;
    private SandboxServer _sandbox = null!;

    public async Task InitializeAsync() =>
        (_database, _sandbox) = (await TestDatabase.CreateAsync(Database.Sqlite), await SandboxServer.StartAsync());

    public async Task DisposeAsync()
    {
        await _sandbox.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Theory]
    [InlineData("/nowhere/at/all/autoticket.db")]
    [InlineData("/proc/autoticket.db")]
    [InlineData("/tmp")]
    public async Task A_sqlite_path_that_cannot_be_used_is_named(string path) =>
        AssertNames(await RefusalAsync("AUTOTICKET_SQLITE_PATH", path), "AUTOTICKET_SQLITE_PATH", path);

    [Fact]
    public async Task A_sqlite_file_that_is_no_database_is_named_and_left_as_it_is()
    {
        var path = Path.GetTempFileName();
        await File.WriteAllTextAsync(path, "This is somebody's letter, not a database. " + new string('x', 2000));
        var before = await File.ReadAllTextAsync(path);

        AssertNames(await RefusalAsync("AUTOTICKET_SQLITE_PATH", path), "AUTOTICKET_SQLITE_PATH", path);

        Assert.Equal(before, await File.ReadAllTextAsync(path));
        File.Delete(path);
    }

    [Fact]
    public async Task A_wrong_password_or_a_missing_database_is_named_without_the_password()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        var wrong = new UriBuilder(database.Location) { Password = "canary-77aa" }
            .Uri
            .AbsoluteUri;

        foreach (var url in new[] { wrong, PostgresUrl.WithDatabase(database.Location, "no_such_database") })
        {
            var refusal = await RefusalAsync("DATABASE_URL", url);
            AssertNames(refusal, "DATABASE_URL");
            Assert.DoesNotContain("canary-77aa", refusal, StringComparison.Ordinal);
            Assert.DoesNotContain(new Uri(database.Location).UserInfo.Split(':')[1], refusal, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_server_without_TLS_is_refused_with_how_to_do_without_it()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);

        var refusal = await RefusalAsync("DATABASE_URL", $"{database.Location}?sslmode=require");

        AssertNames(refusal, "DATABASE_URL", "sslmode=disable");
        Assert.DoesNotContain(new Uri(database.Location).UserInfo.Split(':')[1], refusal, StringComparison.Ordinal);
    }

    [Theory, BothDatabases]
    public async Task A_database_of_another_version_is_named_with_what_to_do_and_left_as_it_is(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var db = database.Open();
        await db.Database.ExecuteSqlAsync($"UPDATE \"__EFMigrationsHistory\" SET migration_id = '20261123000000_Initial'");
        var (variable, location) = database.Settings.Single();

        AssertNames(await RefusalAsync(variable, location), variable, "20261123000000_Initial", "before 1.0 can't be upgraded");

        Assert.Equal(["20261123000000_Initial"], await db.Database.GetAppliedMigrationsAsync());
    }

    [Theory, BothDatabases]
    public async Task A_database_with_somebody_elses_tables_is_named_and_left_as_it_is(Database kind)
    {
        await using var database = await TestDatabase.CreateEmptyAsync(kind);
        await using var db = database.Open();
        await db.Database.ExecuteSqlAsync($"CREATE TABLE tickets (id bigint)");
        var (variable, location) = database.Settings.Single();

        AssertNames(await RefusalAsync(variable, location, "Development"), variable, "tickets");

        Assert.Empty(await db.Database.GetAppliedMigrationsAsync());
    }

    private Task<string> RefusalAsync(string variable, string value, string environment = "Production") =>
        ConsoleHost.RefusalAsync(
            _database,
            _sandbox,
            new Dictionary<string, string> { ["CONSOLE_OPERATOR_PASSWORD_HASH"] = PasswordHash, [variable] = value },
            environment
        );

    private static void AssertNames(string refusal, params string[] named) =>
        Assert.All(named, name => Assert.Contains(name, refusal, StringComparison.Ordinal));
}
