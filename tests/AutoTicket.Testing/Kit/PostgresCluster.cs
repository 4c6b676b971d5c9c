using System.Globalization;
using System.Security.Cryptography;
using Npgsql;

namespace AutoTicket.Tests.Kit;

/// <summary>A PostgreSQL server that a test may stop, start and freeze, or an external one, which it may not. Most tests share
/// <see cref="PostgresServer"/>; a test of a database outage starts its own.</summary>
public sealed class PostgresCluster : IAsyncDisposable
{
    private readonly string _adminUrl;
    private readonly NpgsqlDataSource _admin;
    private readonly PostgresShell? _shell;
    private bool _paused;

    private PostgresCluster(string adminUrl, PostgresShell? shell)
    {
        (_adminUrl, _shell) = (adminUrl, shell);
        _admin = NpgsqlDataSource.Create(PostgresUrl.ToConnectionString(adminUrl, isPooled: true));
    }

    /// <summary>A new, empty, running server on a free loopback port. Takes about a second.</summary>
    /// <param name="durable">Commits are flushed to disk, for measurements of their speed.</param>
    public static async Task<PostgresCluster> StartNewAsync(bool durable = false)
    {
        var port = LoopbackPort.Next();
        var password = RandomNumberGenerator.GetHexString(24, lowercase: true);
        var shell = await PostgresShell.StartAsync(port, password, durable);
        return new PostgresCluster($"postgres://{PostgresShell.User}:{password}@127.0.0.1:{port}/postgres", shell);
    }

    /// <summary>An external server. Its user must have the right to create databases.</summary>
    public static PostgresCluster At(string url) => new(url, null);

    /// <summary>Creates a database, empty or as a copy of <paramref name="template"/> (a URL on the same server); returns its
    /// URL.</summary>
    public async Task<string> CreateDatabaseAsync(string? template = null)
    {
        var name = $"autoticket_test_{Guid.NewGuid():N}";
        await ExecuteAsync(
            template is null ? $"CREATE DATABASE {name}" : $"CREATE DATABASE {name} TEMPLATE \"{PostgresUrl.DatabaseOf(template)}\""
        );
        return PostgresUrl.WithDatabase(_adminUrl, name);
    }

    /// <summary>Drops a database and closes its connections.</summary>
    public async Task DropAsync(string url)
    {
        PostgresUrl.ClearPool(url);
        await ExecuteAsync($"DROP DATABASE IF EXISTS \"{PostgresUrl.DatabaseOf(url)}\" WITH (FORCE)");
    }

    /// <summary>Forbids connections to a database: PostgreSQL can't copy one that is in use, and connection pools may still be
    /// connected.</summary>
    public async Task SealAsync(string url)
    {
        var name = PostgresUrl.DatabaseOf(url);
        await ExecuteAsync($"ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false");
        await ExecuteAsync($"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'");
    }

    /// <summary>Stops the server as an administrator would: it closes connections with a message and refuses new ones.</summary>
    public async Task StopAsync()
    {
        await Own().RunVerbAsync("stop");
        _admin.Clear();
    }

    /// <summary>Starts the stopped server on the same port with its data.</summary>
    public Task StartAsync() => Own().RunVerbAsync("start");

    /// <summary>Freezes the server: connections stay open without a response, as on a host that hangs.</summary>
    public void Pause()
    {
        SignalAll(Signal.Stop);
        _paused = true;
    }

    public void Resume()
    {
        SignalAll(Signal.Continue);
        _paused = false;
    }

    public async ValueTask DisposeAsync()
    {
        if (_paused)
        {
            // A frozen server would get five seconds to stop.
            Resume();
        }

        await _admin.DisposeAsync();
        if (_shell is not null)
        {
            await _shell.DisposeAsync();
        }
    }

    private void SignalAll(Signal signal)
    {
        var postmaster = int.Parse(File.ReadLines(Path.Combine(Own().Folder, "postmaster.pid")).First(), CultureInfo.InvariantCulture);

        // The postmaster first, so that it can't start another child meanwhile.
        Signals.Send(postmaster, signal);
        foreach (var child in Signals.ChildrenOf(postmaster))
        {
            Signals.Send(child, signal);
        }
    }

    private PostgresShell Own() =>
        _shell
        ?? throw new InvalidOperationException("The tests must not stop an external PostgreSQL server: start a cluster for this test.");

    private async Task ExecuteAsync(string sql)
    {
        await using var command = _admin.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
