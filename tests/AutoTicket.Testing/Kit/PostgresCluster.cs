using System.Globalization;
using System.Security.Cryptography;
using Npgsql;

namespace AutoTicket.Tests.Kit;

/// <summary>A PostgreSQL server of the tests' own, which they may stop, start and freeze; or a borrowed one, which they
/// may not. The shared one is <see cref="PostgresServer"/>; a test that needs "the database is down" owns another.</summary>
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
    /// <param name="durable">Commits reach the disk, as they must where their speed is measured.</param>
    public static async Task<PostgresCluster> StartNewAsync(bool durable = false)
    {
        var port = LoopbackPort.Next();
        var password = RandomNumberGenerator.GetHexString(24, lowercase: true);
        var shell = await PostgresShell.StartAsync(port, password, durable);
        return new PostgresCluster($"postgres://{PostgresShell.User}:{password}@127.0.0.1:{port}/postgres", shell);
    }

    /// <summary>A server that somebody else runs. Its user must be allowed to create databases.</summary>
    public static PostgresCluster At(string url) => new(url, null);

    /// <summary>Creates a database, a copy of <paramref name="template"/> (the URL of another on this server) where that is
    /// given, and returns its URL.</summary>
    public async Task<string> CreateDatabaseAsync(string? template = null)
    {
        var name = $"autoticket_test_{Guid.NewGuid():N}";
        await ExecuteAsync(
            template is null ? $"CREATE DATABASE {name}" : $"CREATE DATABASE {name} TEMPLATE \"{PostgresUrl.DatabaseOf(template)}\""
        );
        return PostgresUrl.WithDatabase(_adminUrl, name);
    }

    /// <summary>Drops a database, whoever is still connected to it.</summary>
    public async Task DropAsync(string url)
    {
        PostgresUrl.ClearPool(url);
        await ExecuteAsync($"DROP DATABASE IF EXISTS \"{PostgresUrl.DatabaseOf(url)}\" WITH (FORCE)");
    }

    /// <summary>Closes a database to everybody: PostgreSQL refuses to copy one that is in use, and whoever filled it may
    /// have left connections in a pool.</summary>
    public async Task SealAsync(string url)
    {
        var name = PostgresUrl.DatabaseOf(url);
        await ExecuteAsync($"ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false");
        await ExecuteAsync($"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'");
    }

    /// <summary>Stops the server as an administrator would: connections are told so and closed, new ones refused.</summary>
    public async Task StopAsync()
    {
        await Own().TellAsync("stop");
        _admin.Clear();
    }

    /// <summary>Starts the stopped server on the same port, with what it held.</summary>
    public Task StartAsync() => Own().TellAsync("start");

    /// <summary>Freezes the server: connections stay open and nothing answers, as on a host that hangs.</summary>
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
            // A frozen server would be given five seconds to hear that it must end.
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

        // The postmaster first, so that no child is born behind our back.
        Signals.Send(postmaster, signal);
        foreach (var child in Signals.ChildrenOf(postmaster))
        {
            Signals.Send(child, signal);
        }
    }

    private PostgresShell Own() =>
        _shell ?? throw new InvalidOperationException("A borrowed PostgreSQL server is not ours to stop: start a cluster for this test.");

    private async Task ExecuteAsync(string sql)
    {
        await using var command = _admin.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
