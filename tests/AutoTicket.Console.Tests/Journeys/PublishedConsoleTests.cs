using System.Diagnostics;
using System.Text.Json;

namespace AutoTicket.Tests.Journeys;

public sealed class PublishedConsoleTests
{
    [Fact]
    public async Task A_published_console_started_from_another_folder_serves_every_asset()
    {
        var folder = Directory.CreateTempSubdirectory("autoticket-published-");
        try
        {
            await PublishAsync(folder);
            // What stands in for the outside has no place in Production.
            Assert.DoesNotContain(folder.GetFiles(), file => file.Name.StartsWith("AutoTicket.Sandbox", StringComparison.Ordinal));
            Assert.Equal(PackagesOf(folder), PackagesNamedIn(folder));
            // Whoever starts it from elsewhere gets 200 and no bytes, unless the console finds its own files.
            await using var console = await ConsoleProcess.StartPublishedAsync(
                folder,
                new Dictionary<string, string> { ["ASPNETCORE_ENVIRONMENT"] = "Development" }
            );

            // Its database lies on a disk that others may keep busy: until that answers, a page is 503.
            await Eventually.TrueAsync(
                async () => (await console.Http.GetAsync(new Uri("/console/status", UriKind.Relative))).IsSuccessStatusCode,
                "the page is served"
            );
            await Assets.HaveBytesAsync(console.Http, "/console/status");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Those that the runtime will load.</summary>
    private static IEnumerable<string> PackagesOf(DirectoryInfo folder)
    {
        using var dependencies = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder.FullName, "AutoTicket.Console.deps.json")));
        var runtime = dependencies.RootElement.GetProperty("targets").EnumerateObject().First().Value;
        return
        [
            .. dependencies
                .RootElement.GetProperty("libraries")
                .EnumerateObject()
                .Where(library => library.Value.GetProperty("type").GetString() == "package" && HasFiles(runtime.GetProperty(library.Name)))
                .Select(library => library.Name.Replace('/', '@'))
                .Order(StringComparer.Ordinal),
        ];

        static bool HasFiles(JsonElement library) =>
            new[] { "runtime", "native", "runtimeTargets" }.Any(kind => library.TryGetProperty(kind, out _));
    }

    private static IEnumerable<string> PackagesNamedIn(DirectoryInfo folder)
    {
        using var sbom = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder.FullName, "sbom.cdx.json")));
        return
        [
            .. sbom
                .RootElement.GetProperty("components")
                .EnumerateArray()
                .Select(component => $"{component.GetProperty("name")}@{component.GetProperty("version")}")
                .Order(StringComparer.Ordinal),
        ];
    }

    private static async Task PublishAsync(DirectoryInfo folder)
    {
        var root = ContentRoot.Find();
        var configuration = AppContext.BaseDirectory.Contains(
            $"{Path.DirectorySeparatorChar}Release{Path.DirectorySeparatorChar}",
            StringComparison.Ordinal
        )
            ? "Release"
            : "Debug";
        var start = new ProcessStartInfo(
            "dotnet",
            [
                "publish",
                Path.Combine(root, "src", "AutoTicket.Console"),
                "--no-build",
                "-c",
                configuration,
                "-o",
                folder.FullName,
                "-nodeReuse:false",
            ]
        )
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var publish = Process.Start(start)!;
        var output = await Task.WhenAll(publish.StandardOutput.ReadToEndAsync(), publish.StandardError.ReadToEndAsync());
        await publish.WaitForExitAsync();
        Assert.True(publish.ExitCode == 0, string.Join('\n', output));
    }
}
