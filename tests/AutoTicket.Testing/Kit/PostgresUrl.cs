using Npgsql;

namespace AutoTicket.Tests.Kit;

/// <summary>The tests' own reading of <c>postgres://user:password@host:port/database</c>, apart from the console's, so that
/// a mistake there cannot hide itself.</summary>
public static class PostgresUrl
{
    /// <summary>What Npgsql takes, for a test that looks into the database itself.</summary>
    public static string ToConnectionString(string url)
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
            // The tests come and go with hundreds of databases: a pool each would keep their connections.
            Pooling = false,
        }.ConnectionString;
    }

    public static string DatabaseOf(string url) => Uri.UnescapeDataString(new Uri(url).AbsolutePath.TrimStart('/'));

    public static string WithDatabase(string url, string database) =>
        new UriBuilder(url) { Path = database }
            .Uri
            .AbsoluteUri;
}
