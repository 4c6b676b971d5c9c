namespace AutoTicket.Tests.Kit;

/// <summary>The one PostgreSQL server that the tests of a run share: TEST_DATABASE_URL if that is set, else a throwaway
/// cluster. A database is cheap (0.05 s), a cluster is not (1 s): every test class has a database of its own here, named
/// autoticket_test_…. On a borrowed server those that nobody dropped, the migrated template among them, are left: the test
/// host is not given the time to drop them when it ends.</summary>
public static class PostgresServer
{
    private static readonly Lazy<Task<PostgresCluster>> Cluster = new(StartAsync);

    public static Task<PostgresCluster> SharedAsync() => Cluster.Value;

    /// <inheritdoc cref="PostgresCluster.CreateDatabaseAsync"/>
    public static async Task<string> CreateDatabaseAsync(string? template = null) =>
        await (await SharedAsync()).CreateDatabaseAsync(template);

    /// <inheritdoc cref="PostgresCluster.DropAsync"/>
    public static async Task DropAsync(string url) => await (await SharedAsync()).DropAsync(url);

    // Nobody disposes it: when the test host ends, in whatever way, the cluster's shell does.
    private static Task<PostgresCluster> StartAsync() =>
        Environment.GetEnvironmentVariable("TEST_DATABASE_URL") is { Length: > 0 } url
            ? Task.FromResult(PostgresCluster.At(url))
            : PostgresCluster.StartNewAsync();
}
