using Npgsql;

namespace AutoTicket.Tests.Kit;

/// <summary>Parses <c>postgres://user:password@host:port/database</c>. The tests don't use the console's parser, which could hide its own
/// mistakes.</summary>
public static class PostgresUrl
{
    /// <summary>The connection string for Npgsql, for tests that read the database directly.</summary>
    /// <param name="isPooled">PostgreSQL starts a process for each connection: pool those of a test that opens many. See
    /// <see cref="ClearPool"/>.</param>
    public static string ToConnectionString(string url, bool isPooled = false)
    {
        var uri = new Uri(url);
        var user = uri.UserInfo.Split(':', 2);
        return new NpgsqlConnectionStringBuilder
        {
            Host = uri.Host,
            Port = uri.IsDefaultPort ? NpgsqlConnection.DefaultPort : uri.Port,
            Database = DatabaseOf(url),
            Username = Uri.UnescapeDataString(user[0]),
            Password = user.Length > 1 ? Uri.UnescapeDataString(user[1]) : null,
            Pooling = isPooled,
        }.ConnectionString;
    }

    /// <summary>Closes the pooled connections of the tests, but not those of a console in this process.</summary>
    public static void ClearPool(string url)
    {
        using var connection = new NpgsqlConnection(ToConnectionString(url, isPooled: true));
        NpgsqlConnection.ClearPool(connection);
    }

    public static string DatabaseOf(string url) => Uri.UnescapeDataString(new Uri(url).AbsolutePath.TrimStart('/'));

    public static string WithDatabase(string url, string database) =>
        new UriBuilder(url) { Path = database }
            .Uri
            .AbsoluteUri;
}
