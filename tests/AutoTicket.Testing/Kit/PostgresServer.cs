namespace AutoTicket.Tests.Kit;

/// <summary>The PostgreSQL server that all tests of a run share: TEST_DATABASE_URL, or else a temporary cluster.</summary>
/// <remarks>Creating a database takes 0.05 s and a cluster 1 s, so each test class has its own database (autoticket_test_…). On an external
/// server some stay behind, the migrated template included: the test host ends before it could drop them.</remarks>
public static class PostgresServer
{
    private static readonly Lazy<Task<PostgresCluster>> Cluster = new(StartAsync);

    public static Task<PostgresCluster> SharedAsync() => Cluster.Value;

    /// <inheritdoc cref="PostgresCluster.CreateDatabaseAsync"/>
    public static async Task<string> CreateDatabaseAsync(string? template = null) =>
        await (await SharedAsync()).CreateDatabaseAsync(template);

    /// <inheritdoc cref="PostgresCluster.DropAsync"/>
    public static async Task DropAsync(string url) => await (await SharedAsync()).DropAsync(url);

    // Nobody disposes it: the cluster's shell stops it when the test host ends, even when it is killed.
    private static Task<PostgresCluster> StartAsync() =>
        Environment.GetEnvironmentVariable("TEST_DATABASE_URL") is { Length: > 0 } url
            ? Task.FromResult(PostgresCluster.At(url))
            : PostgresCluster.StartNewAsync();
}
