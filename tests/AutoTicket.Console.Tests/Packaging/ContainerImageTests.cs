using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AutoTicket.Sandbox;
using AutoTicket.Tests.Kit;
using AutoTicket.Tests.Processes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Packaging;

/// <summary>The container image, started as its configuration says: its root is read-only but for its volume. The machine's own .NET and
/// libraries stand in for those of the base image.</summary>
public sealed class ContainerImageTests : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("autoticket-image-");

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync()
    {
        _folder.Delete(recursive: true);
        return Task.CompletedTask;
    }

    [RootFact]
    public async Task The_image_files_a_ticket_as_its_user_with_a_read_only_root_and_one_volume()
    {
        var image = await BuildAsync();
        Assert.Matches("^[0-9]+[.][0-9]+[.][0-9]+", image.Tag);
        Assert.False(File.Exists($"{image.Root}/app/AutoTicket.Sandbox.dll"), "the sandbox is in the demo alone");
        Assert.True(File.Exists($"{image.Root}/app/sbom.cdx.json"));
        Assert.NotNull(image.Config["ExposedPorts"]!["8080/tcp"]);
        Assert.Contains("PORT=8080", image.Environment);

        await using var sandbox = await SandboxServer.StartAsync();
        var settings = ReleaseTests.Settings(sandbox);
        settings.Remove("ASPNETCORE_URLS");
        settings.Remove("DOTNET_EnableDiagnostics");
        var port = LoopbackPort.Next();
        settings["PORT"] = $"{port}";
        await using (var console = image.Start(settings, []))
        {
            await console.Output.WaitForLineAsync(line => line.Contains("Now listening on: ", StringComparison.Ordinal));
            await ReleaseTests.FilesATicketAsync(new Uri($"http://127.0.0.1:{port}"), sandbox);
            Assert.DoesNotContain(" ERROR ", console.Output.ToString(), StringComparison.Ordinal);
            await using var asked = image.Start(settings, ["health"]);
            await asked.Output.WaitForLineAsync(line => line.EndsWith("/healthz/ready answered 200.", StringComparison.Ordinal));
            Assert.Equal(0, await asked.ExitAsync());
        }

        await using var gone = image.Start(settings, ["health"]);
        await gone.Output.WaitForLineAsync(line => line.Contains("did not answer", StringComparison.Ordinal));
        Assert.Equal(1, await gone.ExitAsync());
        Assert.True(File.Exists($"{image.Volume}/autoticket.db"));
        Assert.False(File.Exists($"{image.Root}/home/app/autoticket.db"), "the database is in the volume");
    }

    [RootFact]
    public async Task The_demo_brings_its_own_sandbox_and_watches_it()
    {
        var image = await BuildAsync("-p:PublishSandbox=true");
        Assert.EndsWith("-demo", image.Tag, StringComparison.Ordinal);
        const string hash = "CONSOLE_OPERATOR_PASSWORD_HASH=";
        var set = Assert.Single(image.Environment, variable => variable.StartsWith(hash, StringComparison.Ordinal));
        Assert.Equal(
            PasswordVerificationResult.Success,
            new PasswordHasher<string>(Options.Create(new PasswordHasherOptions { IterationCount = 600_000 })).VerifyHashedPassword(
                "",
                set[hash.Length..],
                "autoticket-demo"
            )
        );
        var port = LoopbackPort.Next();
        await using var console = image.Start(new() { ["PORT"] = $"{port}", ["Sandbox__Port"] = "0" }, []);
        await console.Output.WaitForLineAsync(line => line.Contains("Now listening on: ", StringComparison.Ordinal));
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        await Eventually.TrueAsync(
            async () => (await http.GetStringAsync("/api/tickets")).Contains("auto:status", StringComparison.Ordinal),
            "a sick surface of the sandbox has its ticket"
        );
    }

    private async Task<Image> BuildAsync(params string[] properties)
    {
        await using var registry = await BaseImage.ServeAsync();
        var archive = Path.Combine(_folder.FullName, "image.tar");
        await Publishing.RunAsync(
            _folder.CreateSubdirectory("published"),
            ["-t:PublishContainer", $"-p:ContainerBaseImage={registry.Name}", $"-p:ContainerArchiveOutputPath={archive}", .. properties]
        );
        return await Image.UnpackAsync(archive, _folder);
    }

    /// <summary>An image, unpacked.</summary>
    private sealed record Image(string Tag, JsonNode Config, string Root, string Volume)
    {
        // The base image's part comes from this machine.
        private const string Run = """
            set -e
            root=$1 volume=$2 dotnet=$3; shift 3
            mount --rbind "$root" "$root"
            mount -o remount,ro,bind "$root"
            for folder in usr lib lib64 dev; do
              if [ -e "/$folder" ]; then mount --rbind "/$folder" "$root/$folder"; fi
            done
            mount --bind "$dotnet" "$root/opt"
            mount --bind "$volume" "$root/home/app"
            mount -t proc proc "$root/proc"
            exec chroot "$root" /usr/bin/env --ignore-environment PATH=/usr/sbin:/usr/bin "$@"
            """;

        public IEnumerable<string> Environment => Config["Env"]!.AsArray().Select(variable => (string)variable!);

        public static async Task<Image> UnpackAsync(string archive, DirectoryInfo folder)
        {
            var (root, volume) = (folder.CreateSubdirectory("root"), Path.Combine(folder.FullName, "volume"));
            var layout = folder.CreateSubdirectory("layout");
            await TarFile.ExtractToDirectoryAsync(archive, layout.FullName, overwriteFiles: true);
            var index = await ReadAsync("index.json");
            var manifest = await ReadAsync(Blob(index["manifests"]![0]!));
            var config = await ReadAsync(Blob(manifest["config"]!));
            foreach (var layer in manifest["layers"]!.AsArray())
            {
                await Shell.RunAsync(
                    $"tar --extract --gzip --same-owner --numeric-owner --file {layout}/{Blob(layer!)} --directory {root}"
                );
            }

            // A runtime gives a new volume the content and the owner of the image's folder.
            await Shell.RunAsync($"cp --archive {root}/home/app {volume}");
            var tag = (string)index["manifests"]![0]!["annotations"]!["org.opencontainers.image.ref.name"]!;
            return new(tag, config["config"]!, root.FullName, volume);

            async Task<JsonNode> ReadAsync(string file) =>
                JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(layout.FullName, file)))!;

            static string Blob(JsonNode part) => $"blobs/{((string)part["digest"]!).Replace(':', '/')}";
        }

        public ToolProcess Start(Dictionary<string, string> settings, string[] arguments) =>
            ToolProcess.Start(
                "unshare",
                new Dictionary<string, string>(),
                [
                    "--mount",
                    "sh",
                    "-c",
                    Run,
                    "sh",
                    Root,
                    Volume,
                    Path.GetDirectoryName(new FileInfo(Dotnet).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? Dotnet)!,
                    "setpriv",
                    $"--reuid={Config["User"]}",
                    $"--regid={Config["User"]}",
                    "--clear-groups",
                    "--no-new-privs",
                    "env",
                    $"--chdir={Config["WorkingDir"]}",
                    .. Environment.Where(variable => !settings.ContainsKey(variable[..variable.IndexOf('=', StringComparison.Ordinal)])),
                    .. settings.Select(setting => $"{setting.Key}={setting.Value}"),
                    .. Config["Entrypoint"]!.AsArray().Select(part => (string)part!),
                    .. arguments,
                ]
            );

        private static string Dotnet => System.Environment.ProcessPath!;
    }

    /// <summary>A registry with one image: a user, its home and the places where this machine's libraries are mounted.</summary>
    private sealed class BaseImage : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private readonly Dictionary<string, (string Type, byte[] Content)> _parts = [];

        private BaseImage()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            _app = builder.Build();
        }

        public string Name => $"localhost:{new Uri(_app.Urls.Single()).Port}/base:1";

        public static async Task<BaseImage> ServeAsync()
        {
            var image = new BaseImage();
            var plain = Layer();
            using var packed = new MemoryStream();
            await using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            {
                await gzip.WriteAsync(plain);
            }

            var config = JsonSerializer.SerializeToUtf8Bytes(
                new
                {
                    architecture = "amd64",
                    os = "linux",
                    config = new { User = "1654", Env = new[] { "PATH=/opt:/usr/bin", "DOTNET_ROOT=/opt" } },
                    rootfs = new { type = "layers", diff_ids = new[] { Digest(plain) } },
                }
            );
            const string manifestType = "application/vnd.oci.image.manifest.v1+json";
            var manifest = JsonSerializer.SerializeToUtf8Bytes(
                new
                {
                    schemaVersion = 2,
                    mediaType = manifestType,
                    config = image.Add("application/vnd.oci.image.config.v1+json", config),
                    layers = new[] { image.Add("application/vnd.oci.image.layer.v1.tar+gzip", packed.ToArray()) },
                }
            );
            image.Add(manifestType, manifest);
            image._parts["1"] = (manifestType, manifest);
            image._app.MapGet("/v2/", () => Results.Ok());
            image._app.MapGet(
                "/v2/base/{kind}/{part}",
                (string part, HttpResponse response) =>
                {
                    if (!image._parts.TryGetValue(part, out var found))
                    {
                        return Results.NotFound();
                    }

                    response.Headers["Docker-Content-Digest"] = Digest(found.Content);
                    return Results.Bytes(found.Content, found.Type);
                }
            );
            await image._app.StartAsync();
            return image;
        }

        private object Add(string mediaType, byte[] content)
        {
            var digest = Digest(content);
            _parts[digest] = (mediaType, content);
            return new
            {
                mediaType,
                size = content.Length,
                digest,
            };
        }

        private static byte[] Layer()
        {
            using var bytes = new MemoryStream();
            using (var tar = new TarWriter(bytes, TarEntryFormat.Pax, leaveOpen: true))
            {
                foreach (var folder in new[] { "etc", "usr", "lib", "lib64", "dev", "proc", "opt", "home", "home/app" })
                {
                    var owner = folder == "home/app" ? 1654 : 0;
                    tar.WriteEntry(
                        new PaxTarEntry(TarEntryType.Directory, $"{folder}/")
                        {
                            Uid = owner,
                            Gid = owner,
                            Mode = (UnixFileMode)0b111_101_101,
                        }
                    );
                }

                tar.WriteEntry(
                    new PaxTarEntry(TarEntryType.RegularFile, "etc/passwd")
                    {
                        DataStream = new MemoryStream(Encoding.ASCII.GetBytes("app:x:1654:1654::/home/app:/bin/false\n")),
                    }
                );
            }

            return bytes.ToArray();
        }

        private static string Digest(byte[] content) => $"sha256:{Convert.ToHexStringLower(SHA256.HashData(content))}";

        public ValueTask DisposeAsync() => _app.DisposeAsync();
    }
}
