using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;
using AutoTicket.Sandbox;
using AutoTicket.Security;
using AutoTicket.Tests.Journeys;
using AutoTicket.Tests.Processes;

namespace AutoTicket.Tests.Packaging;

/// <summary>What release.sh makes for this machine.</summary>
public sealed class Release : IAsyncLifetime
{
    public DirectoryInfo Folder { get; } = Directory.CreateTempSubdirectory("autoticket-release-");

    public string Archive => Made("*.tar.gz");

    public string Package => Made("*.deb");

    public string Made(string pattern) => Assert.Single(Directory.GetFiles(Folder.FullName, pattern));

    public async Task InitializeAsync() =>
        await Shell.RunAsync($"{ContentRoot.Find()}/release.sh --quick {Folder.FullName}", TimeSpan.FromMinutes(10));

    public Task DisposeAsync()
    {
        Folder.Delete(recursive: true);
        return Task.CompletedTask;
    }
}

/// <summary>Each way to run the console without containers, by the commands of docs/install.md, until it has filed a ticket.</summary>
public sealed partial class ReleaseTests(Release release) : IClassFixture<Release>
{
    private const string Token = "release-token-0123456789abcdef0123456789";

    [Fact]
    public async Task The_checksums_are_right_and_the_list_of_packages_has_the_runtime()
    {
        await Shell.RunAsync($"cd {release.Folder.FullName} && sha256sum --check --quiet SHA256SUMS");
        using var sbom = JsonDocument.Parse(await File.ReadAllTextAsync(release.Made("*.cdx.json")));
        var packages = sbom
            .RootElement.GetProperty("components")
            .EnumerateArray()
            .Select(component => component.GetProperty("name").GetString()!)
            .ToList();
        Assert.Contains("MudBlazor", packages);
        Assert.Contains(packages, name => name.StartsWith("Microsoft.NETCore.App.Runtime.linux-", StringComparison.Ordinal));
        Assert.Contains(packages, name => name.StartsWith("SQLitePCLRaw.lib.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_unpacked_archive_starts_and_files_a_ticket()
    {
        var folder = Directory.CreateTempSubdirectory("autoticket-archive-");
        var commands = CommandsOf("Archive", 0)
            .Replace("sudo ", "", StringComparison.Ordinal)
            .Replace("/opt/autoticket", folder.FullName, StringComparison.Ordinal)
            .Split('\n');
        await Shell.RunAsync($"cd {release.Folder.FullName}\n{string.Join('\n', commands[..^1])}");
        Assert.DoesNotContain(folder.GetFiles(), file => file.Name.Contains("Sandbox", StringComparison.Ordinal));
        await using var sandbox = await SandboxServer.StartAsync();
        await using (
            var console = ToolProcess.Start(
                "env",
                new Dictionary<string, string>(),
                ["--ignore-environment", .. Settings(sandbox).Select(setting => $"{setting.Key}={setting.Value}"), commands[^1]]
            )
        )
        {
            const string listening = "Now listening on: ";
            var line = await console.Output.WaitForLineAsync(line => line.Contains(listening, StringComparison.Ordinal));
            await FilesATicketAsync(new Uri(line[(line.IndexOf(listening, StringComparison.Ordinal) + listening.Length)..]), sandbox);
            Assert.DoesNotContain(" ERROR ", console.Output.ToString(), StringComparison.Ordinal);
        }

        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task The_same_input_gives_the_same_package()
    {
        var folder = Directory.CreateTempSubdirectory("autoticket-again-");
        var published = folder.CreateSubdirectory("published");
        // The files have the time of now.
        await Shell.RunAsync(
            $$"""
            tar --extract --touch --file {{release.Archive}} --directory {{published.FullName}} --strip-components 1
            name=$(basename {{release.Archive}} .tar.gz) && name=${name#autoticket-console-}
            cd {{ContentRoot.Find()}} && export QUICK=1 SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
            src/packaging/build-deb.sh {{published.FullName}} ${name%-linux-*} linux-${name##*-} {{folder.FullName}}
            """
        );

        Assert.Equal(Sum(release.Package), Sum(Assert.Single(Directory.GetFiles(folder.FullName, "*.deb"))));
        folder.Delete(recursive: true);

        static string Sum(string file)
        {
            using var bytes = File.OpenRead(file);
            return Convert.ToHexString(SHA256.HashData(bytes));
        }
    }

    [RootFact]
    public async Task The_installed_package_files_a_ticket_under_systemd_and_keeps_its_data_until_it_is_purged()
    {
        const string database = "/var/lib/autoticket-console/autoticket.db";
        var (install, start) = (CommandsOf("Debian package", 0), CommandsOf("Debian package", 1));
        await using var root = await OtherRoot.CreateAsync(release.Folder);
        await root.RunAsync(install);
        Assert.Equal("root autoticket-console 640", await root.RunAsync("stat -c '%U %G %a' /etc/autoticket-console/console.env"));

        await using var sandbox = await SandboxServer.StartAsync();
        var settings = Settings(sandbox);
        var address = settings["ASPNETCORE_URLS"] = $"http://127.0.0.1:{LoopbackPort.Next()}";
        var lines = string.Join('\n', settings.Select(setting => $"{setting.Key}='{setting.Value}'"));
        await root.RunAsync($"cat >>/etc/autoticket-console/console.env <<'SETTINGS'\n{lines}\nSETTINGS");
        await root.RunAsync(start);
        await FilesATicketAsync(new Uri(address), sandbox);
        Assert.Equal("autoticket-console", await root.RunAsync($"stat -c %U {database}"));
        Assert.StartsWith("AutoTicket Console ", await root.RunAsync("autoticket-console --version"), StringComparison.Ordinal);

        // A newer package keeps the settings and restarts the console.
        const string process = "systemctl show --property MainPID --value autoticket-console";
        var before = await root.RunAsync(process);
        await root.RunAsync("dpkg --install autoticket-console_*.deb");
        Assert.NotEqual(before, await root.RunAsync($"systemctl is-active --quiet autoticket-console && {process}"));
        Assert.DoesNotContain(" ERROR ", await root.RunAsync("journalctl --unit autoticket-console"), StringComparison.Ordinal);

        await root.RunAsync("apt-get remove --yes autoticket-console");
        await root.RunAsync($"test -e {database} && test -e /etc/autoticket-console/console.env && test ! -e /usr/lib/autoticket-console");
        await root.RunAsync("apt-get purge --yes autoticket-console");
        await root.RunAsync("test ! -e /var/lib/autoticket-console && test ! -e /etc/autoticket-console");
    }

    /// <summary>A block of commands under a heading of the page.</summary>
    private static string CommandsOf(string heading, int block)
    {
        var page = File.ReadAllText(Path.Combine(ContentRoot.Find(), "docs", "install.md"));
        return Commands().Matches(page[page.IndexOf($"### {heading}\n", StringComparison.Ordinal)..])[block].Groups[1].Value;
    }

    [GeneratedRegex(@"```console\n(.*?)\n```", RegexOptions.Singleline)]
    private static partial Regex Commands();

    /// <summary>Settings of a console in Production that watches a surface that is down.</summary>
    internal static Dictionary<string, string> Settings(SandboxServer sandbox)
    {
        sandbox.Surface("shop").Answer(503);
        var settings = Consoles.CommonSettings(sandbox);
        foreach (var (name, value) in Consoles.Watched(sandbox, ["shop"]))
        {
            settings[name] = value;
        }

        settings.Remove("ASPNETCORE_ENVIRONMENT");
        settings["ASPNETCORE_URLS"] = "http://127.0.0.1:0";
        settings["CONSOLE_OPERATOR_PASSWORD_HASH"] = Login.Hash("correct horse battery staple");
        settings["CONSOLE_API_TOKENS"] = $"release:admin:{Token}";
        // A killed process would leave its diagnostics pipes in /tmp.
        settings["DOTNET_EnableDiagnostics"] = "0";
        // It lives for seconds.
        settings["DOTNET_TC_CallCounting"] = "0";
        settings["DOTNET_JITMinOpts"] = "1";
        return settings;
    }

    internal static async Task FilesATicketAsync(Uri address, SandboxServer sandbox)
    {
        using var console = new Running(address);
        await Assets.HaveBytesAsync(console.Http, "/login");
        await Eventually.TrueAsync(
            async () =>
                (
                    await console.AskAsync(HttpMethod.Post, "/api/surfaces/shop/investigate", headers: ("Authorization", $"Bearer {Token}"))
                ).Ticket
                    is not null,
            $"a ticket is filed"
        );
        Assert.Single(sandbox.FreeScout.Conversations);
    }

    private sealed class Running(Uri address) : IConsole, IDisposable
    {
        public HttpClient Http { get; } =
            new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = address, Timeout = Eventually.Patience };

        public void Dispose() => Http.Dispose();
    }
}

/// <summary>This machine's files with changes in memory, and a systemd that starts nothing by itself, in namespaces of their own. The
/// working folder is one of the test's.</summary>
internal sealed class OtherRoot : IAsyncDisposable
{
    // Not chroot: the kernel allows no user namespaces in one, and PrivateUsers needs one.
    private const string Boot = """
        set -e
        mount -t tmpfs tmpfs "$1"
        mkdir "$1/upper" "$1/work" "$1/root"
        mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
        mount --bind "$2" "$1/root/mnt"
        cd "$1/root"
        mount -t proc proc proc
        mount -t sysfs sysfs sys
        mount -t cgroup2 cgroup2 sys/fs/cgroup
        mount --rbind /dev dev
        mount -t tmpfs tmpfs run
        mount -t tmpfs tmpfs tmp
        find usr/lib/systemd/system/*.wants etc/systemd/system/*.wants -type l ! -name 'systemd-journald*' -delete
        printf '[Unit]\nDefaultDependencies=no\n' >etc/systemd/system/test.target
        : >etc/fstab
        # Left by an installation that is under way on this machine.
        rm -f var/lib/dpkg/updates/*
        mkdir -p run/before
        pivot_root . run/before
        umount --lazy run/before
        exec env --ignore-environment container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
          /usr/lib/systemd/systemd --system --unit=test.target --log-target=null --show-status=false
        """;

    private readonly DirectoryInfo _mounted = Directory.CreateTempSubdirectory("autoticket-root-");
    private readonly ToolProcess _holder;

    private OtherRoot(DirectoryInfo mnt) =>
        _holder = ToolProcess.Start(
            "unshare",
            new Dictionary<string, string>(),
            ["--mount", "--pid", "--cgroup", "--uts", "--fork", "--kill-child", "sh", "-c", Boot, "sh", _mounted.FullName, mnt.FullName]
        );

    public static async Task<OtherRoot> CreateAsync(DirectoryInfo mnt)
    {
        var root = new OtherRoot(mnt);
        await Eventually.TrueAsync(
            async () => await root.RunAsync("systemctl is-active test.target") == "active",
            $"systemd runs {root._holder.Output}"
        );
        return root;
    }

    public Task<string> RunAsync(string script)
    {
        var first = File.ReadAllText($"/proc/{_holder.Id}/task/{_holder.Id}/children").Trim();
        return Shell.RunAsync(
            [
                .. $"nsenter --target {first} --mount --pid --cgroup --uts --root --wd env --ignore-environment".Split(' '),
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                "DEBIAN_FRONTEND=noninteractive",
                "sh",
                "-ec",
                $"cd /mnt\nsudo() {{ \"$@\"; }}\n{script}",
            ],
            TimeSpan.FromMinutes(4)
        );
    }

    public async ValueTask DisposeAsync()
    {
        await _holder.DisposeAsync();
        _mounted.Delete(recursive: true);
    }
}

internal static class Shell
{
    public static Task<string> RunAsync(string script, TimeSpan? patience = null) =>
        RunAsync(["bash", "-euo", "pipefail", "-c", script], patience);

    /// <summary>Runs a command to its end, which must be a success, and returns what it printed.</summary>
    public static async Task<string> RunAsync(IReadOnlyList<string> command, TimeSpan? patience = null)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardOutput = true, RedirectStandardError = true };
        // They make a test run small, and a compiler slow.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("DOTNET_GC", StringComparison.Ordinal)).ToList())
        {
            start.Environment.Remove(name);
        }

        using var process = Process.Start(start)!;
        Reaper.Watch(process.Id);
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(patience ?? Eventually.Patience);
        Reaper.Forget(process.Id);
        Assert.True(process.ExitCode == 0, $"{command[^1]}\nended with {process.ExitCode}: {await output}{await errors}");
        return (await output).Trim();
    }
}

/// <summary>A test that mounts and installs.</summary>
internal sealed class RootFactAttribute : FactAttribute
{
    private const int SysAdmin = 21;

    public RootFactAttribute()
    {
        if (!CanMount())
        {
            Skip = "Only root with the capability CAP_SYS_ADMIN can mount and install.";
        }
    }

    private static bool CanMount() =>
        Environment.IsPrivilegedProcess
        && File.ReadLines("/proc/self/status").First(line => line.StartsWith("CapEff:", StringComparison.Ordinal)) is { } line
        && (Convert.ToUInt64(line[7..].Trim(), 16) >> SysAdmin & 1) == 1;
}
