using Npgsql;

namespace AutoTicket.Data;

/// <summary>Heroku's <c>postgres://user:password@host:port/db[?sslmode=…]</c>, which Npgsql does not read by itself.</summary>
internal static class DatabaseUrl
{
    /// <exception cref="ConfigurationException">It is not such a URL. The message never holds the password.</exception>
    public static string ToConnectionString(string url)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("postgres" or "postgresql")
            || uri.Host.Length == 0 || uri.AbsolutePath.Trim('/').Length == 0)
        {
            throw new ConfigurationException("DATABASE_URL must look like postgres://user:password@host:port/database, optionally with ?sslmode=require.");
        }

        var user = uri.UserInfo.Split(':', 2);
        var connection = new NpgsqlConnectionStringBuilder
        {
            Host = uri.Host.Trim('[', ']'),
            Port = uri.IsDefaultPort || uri.Port < 0 ? 5432 : uri.Port,
            Database = Uri.UnescapeDataString(uri.AbsolutePath.Trim('/')),
            Username = Uri.UnescapeDataString(user[0]),
            Password = user.Length > 1 ? Uri.UnescapeDataString(user[1]) : null,
            ApplicationName = "autoticket",
            // An outage must show within a click's patience, not after Npgsql's default of 15 and 30 s; a command that hangs costs as much again until it is given up.
            Timeout = 3,
            CommandTimeout = 3,
            // A server that does not answer a query in time does not answer a plea to stop it either: that would be another 5 s.
            CancellationTimeout = -1,
            KeepAlive = 10,
            MaxPoolSize = 40,
            // Nothing of ours changes a session; to reset it at each use would cost as much as the statement that follows.
            NoResetOnClose = true,
            // What is asked again and again is parsed and planned once a connection.
            MaxAutoPrepare = 50,
        };
        foreach (var parameter in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var pair = parameter.Split('=', 2);
            var value = pair.Length > 1 ? Uri.UnescapeDataString(pair[1]) : "";
            if (pair[0] != "sslmode")
            {
                throw new ConfigurationException($"DATABASE_URL has the parameter “{Uri.UnescapeDataString(pair[0])}”; only sslmode is known.");
            }

            connection.SslMode = Enum.TryParse<SslMode>(value.Replace("-", "", StringComparison.Ordinal), ignoreCase: true, out var mode) && Enum.IsDefined(mode)
                ? mode
                : throw new ConfigurationException($"DATABASE_URL has sslmode={value}; it must be one of disable, allow, prefer, require, verify-ca, verify-full.");
        }

        return connection.ConnectionString;
    }
}
