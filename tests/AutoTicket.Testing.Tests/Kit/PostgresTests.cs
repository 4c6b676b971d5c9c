using Npgsql;

namespace AutoTicket.Tests.Kit;

public sealed class PostgresTests
{
    [Fact]
    public async Task A_database_is_created_answers_and_is_dropped()
    {
        var url = await PostgresServer.CreateDatabaseAsync();
        Assert.Equal(1, await ScalarAsync(url, "SELECT 1"));

        await PostgresServer.DropAsync(url);
        await Assert.ThrowsAsync<PostgresException>(() => ScalarAsync(url, "SELECT 1"));
    }

    [Fact]
    public async Task A_copy_holds_what_its_template_held()
    {
        var template = await PostgresServer.CreateDatabaseAsync();
        await ScalarAsync(template, "CREATE TABLE t AS SELECT 42 AS answer");
        await using var stillOpen = new NpgsqlConnection(PostgresUrl.ToConnectionString(template));
        await stillOpen.OpenAsync();
        await (await PostgresServer.SharedAsync()).SealAsync(template);

        var copies = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => PostgresServer.CreateDatabaseAsync(template)));

        Assert.Equal(4, copies.Distinct().Count());
        Assert.Equal(42, await ScalarAsync(copies[3], "SELECT answer FROM t"));
        await Task.WhenAll(copies.Append(template).Select(PostgresServer.DropAsync));
    }

    [Theory, BothDatabases]
    public async Task Each_test_database_is_one_of_its_own(Database kind)
    {
        await using var one = await TestDatabase.CreateEmptyAsync(kind);
        await using var other = await TestDatabase.CreateEmptyAsync(kind);

        Assert.NotEqual(one.Location, other.Location);
        Assert.Equal(one.Location, one.Settings[kind == Database.Postgres ? "DATABASE_URL" : "AUTOTICKET_SQLITE_PATH"]);
    }

    [Fact]
    public async Task A_cluster_of_a_test_stops_freezes_and_comes_back_with_its_data()
    {
        await using var cluster = await PostgresCluster.StartNewAsync();
        var url = await cluster.CreateDatabaseAsync();
        await ScalarAsync(url, "CREATE TABLE t AS SELECT 42 AS answer");

        await cluster.StopAsync();
        await Assert.ThrowsAsync<NpgsqlException>(() => ScalarAsync(url, "SELECT 1"));
        await cluster.StartAsync();
        Assert.Equal(42, await ScalarAsync(url, "SELECT answer FROM t"));

        await using var connection = new NpgsqlConnection(PostgresUrl.ToConnectionString(url));
        await connection.OpenAsync();
        cluster.Pause();
        await using var command = new NpgsqlCommand("SELECT 1", connection);
        var answer = command.ExecuteScalarAsync();
        await Assert.ThrowsAsync<TimeoutException>(() => answer.WaitAsync(TimeSpan.FromMilliseconds(200)));
        cluster.Resume();
        Assert.Equal(1, await answer.WaitAsync(Eventually.Patience));
    }

    [Fact]
    public async Task A_frozen_cluster_can_be_disposed()
    {
        var cluster = await PostgresCluster.StartNewAsync();
        cluster.Pause();

        await cluster.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task A_proxy_cuts_the_connection_to_a_running_database()
    {
        await using var database = await TestDatabase.CreateEmptyAsync(Database.Postgres);
        var url = database.Location;
        await using var proxy = TcpProxy.To(url);
        Assert.Equal(1, await ScalarAsync(proxy.Through(url), "SELECT 1"));

        proxy.Cut();
        await Assert.ThrowsAsync<NpgsqlException>(() => ScalarAsync(proxy.Through(url), "SELECT 1"));
        Assert.Equal(1, await ScalarAsync(url, "SELECT 1"));
    }

    private static async Task<object?> ScalarAsync(string url, string sql)
    {
        await using var connection = new NpgsqlConnection(PostgresUrl.ToConnectionString(url));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }
}
