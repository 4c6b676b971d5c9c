using System.Text.Json;
using AutoTicket.Tests.Packaging;

namespace AutoTicket.Tests.Journeys;

public sealed class PublishedConsoleTests
{
    [Fact]
    public async Task A_published_console_started_from_another_folder_serves_every_asset()
    {
        var folder = Directory.CreateTempSubdirectory("autoticket-published-");
        try
        {
            await Publishing.RunAsync(folder);
            // The sandbox simulates outside systems and must not be published.
            Assert.DoesNotContain(folder.GetFiles(), file => file.Name.StartsWith("AutoTicket.Sandbox", StringComparison.Ordinal));
            Assert.Equal(PackagesOf(folder), PackagesNamedIn(folder));
            var sbom = await File.ReadAllTextAsync(Path.Combine(folder.FullName, "sbom.cdx.json"));
            // Without the count of commits: one may have come since the build.
            var version = ProductVersion.Short.Split('-')[0];
            Assert.Contains($"\"name\":\"AutoTicket Console\",\"version\":\"{version}", sbom, StringComparison.Ordinal);
            // Started from another folder, a console that can't find its own files would answer 200 with empty bodies.
            await using var console = await ConsoleProcess.StartPublishedAsync(
                folder,
                new Dictionary<string, string> { ["ASPNETCORE_ENVIRONMENT"] = "Development" }
            );

            // Pages answer 503 until the database is open, which takes longer on a busy disk.
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

    /// <summary>The packages that the runtime loads.</summary>
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
}
