using System.Diagnostics;
using System.Globalization;

namespace AutoTicket.Tests.Kit;

/// <summary>A shell process that runs a temporary PostgreSQL server. It reads verbs from standard input and answers each with a line. When
/// the pipe closes, it stops the server and deletes its folder, even after the test host was killed.</summary>
internal sealed class PostgresShell : IAsyncDisposable
{
    public const string User = "autoticket";

    // Durability is off by default, because the cluster does not outlive the run. autovacuum is off too, to save CPU time; measurements of
    // speed need it for its statistics.
    private const string NotDurable = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off";

    private const string Script = """
        bin=$1 data=$2 port=$3 log=$2.log
        options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 -c max_wal_size=256MB $4"
        fail() { echo "failed: $1"; tail -n 20 "$log" | tr '\n' '|'; echo; exit 1; }
        start() { "$bin/pg_ctl" -D "$data" -l "$log" -w -o "$options" start >>"$log" 2>&1; }
        stop() { "$bin/pg_ctl" -D "$data" -m "$1" -w stop >>"$log" 2>&1; }
        finish() {
          if [ -f "$data/postmaster.pid" ]; then
            kill -CONT "$(head -n 1 "$data/postmaster.pid")"  # it may be frozen
            stop immediate
          fi
          rm -rf "$data" "$log"
        }
        trap finish EXIT
        umask 077
        : >"$log" && printf %s "$DB_PASSWORD" >"$log.password"
        "$bin/initdb" -D "$data" -U "$DB_USER" --pwfile="$log.password" --auth=scram-sha-256 \
          --encoding=UTF8 --locale=C.UTF-8 --no-sync >>"$log" 2>&1 || { rm -f "$log.password"; fail initdb; }
        rm -f "$log.password"
        start || fail start
        echo done
        while read -r verb; do
          case $verb in
            start) start || fail start ;;
            stop) stop fast || fail stop ;;
          esac
          echo done
        done
        """;

    private readonly Process _shell;
    private readonly SemaphoreSlim _oneAtATime = new(1);

    private PostgresShell(Process shell, string folder) => (_shell, Folder) = (shell, folder);

    public string Folder { get; }

    public static async Task<PostgresShell> StartAsync(int port, string password, bool durable = false)
    {
        var folder = $"{Parent(durable)}/autoticket-postgres-{Guid.NewGuid():N}";
        string[] command =
        [
            "sh",
            "-c",
            Script,
            "postgres-shell",
            Binaries(),
            folder,
            port.ToString(CultureInfo.InvariantCulture),
            durable ? "" : NotDurable,
        ];

        // PostgreSQL refuses to run as root. A separate session keeps the shell alive for the cleanup when a signal (also Ctrl+C) ends the
        // test host's process group.
        string[] asUser = Environment.IsPrivilegedProcess ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];
        var start = new ProcessStartInfo("setsid", [.. asUser, .. command])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            WorkingDirectory = "/tmp",
        };
        start.Environment["DB_USER"] = User;
        start.Environment["DB_PASSWORD"] = password;

        var shell = new PostgresShell(Process.Start(start)!, folder);
        try
        {
            await shell.AnswerAsync("initdb");
            return shell;
        }
        catch
        {
            await shell.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a verb; returns when it is done.</summary>
    public async Task RunVerbAsync(string verb)
    {
        await _oneAtATime.WaitAsync();
        try
        {
            await _shell.StandardInput.WriteAsync(verb + "\n");
            await _shell.StandardInput.FlushAsync();
            await AnswerAsync(verb);
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        _shell.StandardInput.Close();
        await _shell.WaitForExitAsync();
        _shell.Dispose();
        _oneAtATime.Dispose();
    }

    private async Task AnswerAsync(string verb)
    {
        var answer = await _shell.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(1));
        if (answer != "done")
        {
            var log = await _shell.StandardOutput.ReadToEndAsync();
            throw new InvalidOperationException(
                $"PostgreSQL could not {verb}: {answer ?? "its shell ended (is there a user postgres, and setpriv?)"} {log}"
            );
        }
    }

    // In memory if possible: each test database has 300 files, and ext4 is slow to create them. Otherwise /tmp and not TMPDIR, because the
    // server's user can't open root's folders.
    private static string Parent(bool durable)
    {
        const string memory = "/dev/shm";
        const long room = 1L << 30;
        return !durable && Directory.Exists(memory) && new DriveInfo(memory).AvailableFreeSpace > room ? memory : "/tmp";
    }

    private static string Binaries()
    {
        if (Environment.GetEnvironmentVariable("PG_BIN") is { Length: > 0 } chosen)
        {
            return chosen;
        }

        const string debian = "/usr/lib/postgresql";
        var newest = !Directory.Exists(debian)
            ? null
            : Directory
                .EnumerateDirectories(debian)
                .Where(version => File.Exists(Path.Combine(version, "bin", "initdb")))
                .MaxBy(version => double.TryParse(Path.GetFileName(version), CultureInfo.InvariantCulture, out var number) ? number : 0);
        return newest is not null
            ? Path.Combine(newest, "bin")
            : throw new InvalidOperationException(
                "No PostgreSQL for the tests: run ./test.sh, which installs it, or set TEST_DATABASE_URL to a server, "
                    + "or PG_BIN to a folder with initdb and pg_ctl."
            );
    }
}
