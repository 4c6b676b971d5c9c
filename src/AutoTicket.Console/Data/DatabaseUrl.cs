using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Npgsql;

namespace AutoTicket.Data;

/// <summary>Parses <c>DATABASE_URL</c> by the rules of libpq, as hosting companies write it. Npgsql can't parse such a URL.</summary>
internal static partial class DatabaseUrl
{
    private const string Form =
        "DATABASE_URL must look like postgres://user:password@host:port/database, optionally with ?sslmode=require.";

    private static readonly string[] SessionAttributes = ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"];

    /// <exception cref="ConfigurationException">It can't be used. The message never contains the password.</exception>
    public static string ToConnectionString(string url)
    {
        Settings.RefuseQuotes("DATABASE_URL", url);
        if (Url().Match(url) is not { Success: true } parts || Uri.UnescapeDataString(url).Any(char.IsControl))
        {
            throw new ConfigurationException(Form);
        }

        if (Unescaped(url, parts) is { } character)
        {
            throw new ConfigurationException(
                $"DATABASE_URL contains the character {character} in the user or the password. Write it as %{(int)character:X2}."
            );
        }

        var connection = new NpgsqlConnectionStringBuilder
        {
            ApplicationName = "autoticket",
            // Npgsql's defaults (15 s and 30 s) are longer than an operator waits for a click.
            Timeout = 3,
            CommandTimeout = 3,
            // Don't wait for the cancellation of a timed-out command: the same server would answer it, or time out after 5 s.
            CancellationTimeout = -1,
            KeepAlive = 10,
            MaxPoolSize = 40,
            // The console never changes session state, and a reset costs as much as a statement.
            NoResetOnClose = true,
        };
        var (hosts, port) = (Text(parts, "hosts"), "5432");
        var (user, password, database) = (Text(parts, "user"), Text(parts, "password"), Text(parts, "database"));
        var isPooled = false;
        SslMode? mode = null;
        foreach (var parameter in parts.Groups["parameters"].Value.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var pair = parameter.Split('=', 2);
            var (name, value) = (Uri.UnescapeDataString(pair[0]), pair.Length > 1 ? Uri.UnescapeDataString(pair[1]) : "");
            switch (name)
            {
                case "host":
                    hosts = value;
                    break;
                case "port":
                    port = value;
                    break;
                case "user":
                    user = value;
                    break;
                case "password":
                    password = value;
                    break;
                case "dbname":
                    database = value;
                    break;
                case "application_name":
                    connection.ApplicationName = value;
                    break;
                case "options":
                    connection.Options = value;
                    break;
                case "connect_timeout":
                    connection.Timeout = Number(name, value, 60);
                    break;
                // Node's word for encrypted without a check of the certificate, which is what Npgsql's Require does.
                case "sslmode" or "ssl" when value is "no-verify":
                    mode = SslMode.Require;
                    break;
                case "ssl" when value is "true" or "1":
                    mode = SslMode.Require;
                    break;
                case "ssl" when value is "false" or "0":
                    mode = SslMode.Disable;
                    break;
                case "sslmode" or "ssl":
                    mode = Word<SslMode>(name, value);
                    break;
                case "sslrootcert":
                    connection.RootCertificate = value is "system" ? null : value;
                    break;
                case "sslcert":
                    connection.SslCertificate = value;
                    break;
                case "sslkey":
                    connection.SslKey = value;
                    break;
                case "sslpassword":
                    connection.SslPassword = value;
                    break;
                case "sslnegotiation":
                    connection.SslNegotiation = Word<SslNegotiation>(name, value);
                    break;
                case "channel_binding":
                    connection.ChannelBinding = Word<ChannelBinding>(name, value);
                    break;
                case "gssencmode":
                    connection.GssEncryptionMode = Word<GssEncryptionMode>(name, value);
                    break;
                case "target_session_attrs" when SessionAttributes.Contains(value):
                    connection.TargetSessionAttributes = value;
                    break;
                case "pgbouncer":
                    isPooled = value is "true" or "1";
                    break;
                default:
                    throw new ConfigurationException(
                        name.Contains('@', StringComparison.Ordinal) ? Form
                        : name is "target_session_attrs"
                            ? $"DATABASE_URL has {name}={value}; it must be one of {string.Join(", ", SessionAttributes)}."
                        : $"DATABASE_URL has the parameter “{name}”, which the console does not know. Remove it."
                    );
            }
        }

        // The @ before the host was escaped too, and the password with it.
        if (hosts.Contains('@', StringComparison.Ordinal))
        {
            throw new ConfigurationException(Form);
        }

        var all = hosts
            .Split(',')
            .Select(host => Host().Match(host))
            .Select(host =>
                (Name: host.Groups["name"].Value, Port: PortOf(host.Groups["port"] is { Success: true } own ? own.Value : port))
            )
            .ToList();
        if (database.Length == 0 || all.Any(host => host.Name.Length == 0))
        {
            throw new ConfigurationException(Form);
        }

        if (all is [var only])
        {
            (connection.Host, connection.Port) = (only.Name.Trim('[', ']'), only.Port);
            // Npgsql refuses it for a single host.
            connection.TargetSessionAttributes = null;
        }
        else
        {
            connection.Host = string.Join(',', all.Select(host => string.Create(CultureInfo.InvariantCulture, $"{host.Name}:{host.Port}")));
        }

        connection.Database = database;
        connection.Username = user.Length > 0 ? user : null;
        connection.Password = password.Length > 0 ? password : null;
        isPooled |= all.Any(host => host.Port is 6432 or 6543 || host.Name.Contains("pooler", StringComparison.OrdinalIgnoreCase));
        connection.SslMode = mode ?? (all.TrueForAll(host => IsHere(host.Name)) ? SslMode.Prefer : SslMode.Require);
        // Prepared statements, except behind a pooler, where the next use may run on another connection.
        connection.MaxAutoPrepare = isPooled ? 0 : 50;
        return connection.ConnectionString;
    }

    /// <summary>Whether the connection leaves this machine unencrypted.</summary>
    public static bool IsOpen(string connectionString) =>
        new NpgsqlConnectionStringBuilder(connectionString) is { SslMode: < SslMode.Require, Host: { } hosts }
        && !hosts.Split(',').All(IsHere);

    /// <summary>Whether the host is a local socket or a loopback address, with or without a port.</summary>
    private static bool IsHere(string host) =>
        host.StartsWith('/')
        || host.Split(':')[0] is "localhost"
        || (IPEndPoint.TryParse(host, out var address) && IPAddress.IsLoopback(address.Address));

    private static string Text(Match parts, string name) => Uri.UnescapeDataString(parts.Groups[name].Value);

    /// <summary>An unescaped character of the user or the password that other programs would split the URL at; null: none.</summary>
    private static char? Unescaped(string url, Match parts)
    {
        var hasUser = parts.Groups["user"].Success;
        return url.Contains('#', StringComparison.Ordinal) ? '#'
            : parts.Groups["hosts"].Value.Contains('@', StringComparison.Ordinal) ? '@'
            : !hasUser && parts.Groups["database"].Value.Contains('@', StringComparison.Ordinal) ? '/'
            : !hasUser && parts.Groups["parameters"].Value.Split('=')[0].Contains('@', StringComparison.Ordinal) ? '?'
            : BrokenEscape().IsMatch(parts.Groups["user"].Value + parts.Groups["password"].Value) ? '%'
            : null;
    }

    private static int Number(string name, string value, int most) =>
        NumberOf(value, most)
        ?? throw new ConfigurationException($"DATABASE_URL has the {name} “{value}”; it must be a number from 1 to {most}.");

    /// <remarks>The message does not repeat the value: in an address without a host it is the password.</remarks>
    private static int PortOf(string value) =>
        NumberOf(value, ushort.MaxValue)
        ?? throw new ConfigurationException($"DATABASE_URL has a port that is not a number from 1 to {ushort.MaxValue}. {Form}");

    private static int? NumberOf(string value, int most) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= most
            ? number
            : null;

    private static T Word<T>(string name, string value)
        where T : struct, Enum
    {
        var words = Enum.GetValues<T>().ToDictionary(word => JsonNamingPolicy.KebabCaseLower.ConvertName(word.ToString()));
        return words.TryGetValue(value.ToLowerInvariant(), out var word)
            ? word
            : throw new ConfigurationException($"DATABASE_URL has {name}={value}; it must be one of {string.Join(", ", words.Keys)}.");
    }

    [GeneratedRegex(
        "^postgres(?:ql)?://(?:(?<user>[^:@/?]*)(?::(?<password>[^@/?]*))?@)?"
            + "(?<hosts>[^/?]*)(?:/(?<database>[^?]*))?(?:[?](?<parameters>.*))?$"
    )]
    private static partial Regex Url();

    [GeneratedRegex("%(?![0-9A-Fa-f]{2})")]
    private static partial Regex BrokenEscape();

    [GeneratedRegex(@"^(?<name>\[[^\]]*\]|/.*|[^:]*)(?::(?<port>.*))?$")]
    private static partial Regex Host();
}
