using System.Diagnostics;

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
            // Whoever starts it from elsewhere gets 200 and no bytes, unless the console finds its own files.
            await using var console = await ConsoleProcess.StartPublishedAsync(folder, new Dictionary<string, string> { ["ASPNETCORE_ENVIRONMENT"] = "Development", ["Sandbox__Port"] = "0" });

            // Its database lies on a disk that others may keep busy: until that answers, a page is 503.
            await Eventually.TrueAsync(async () => (await console.Http.GetAsync(new Uri("/console/status", UriKind.Relative))).IsSuccessStatusCode, "the page is served");
            await Assets.HaveBytesAsync(console.Http, "/console/status");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task PublishAsync(DirectoryInfo folder)
    {
        var root = ContentRoot.Find();
        var configuration = AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Release{Path.DirectorySeparatorChar}", StringComparison.Ordinal) ? "Release" : "Debug";
        var start = new ProcessStartInfo("dotnet", ["publish", Path.Combine(root, "src", "AutoTicket.Console"), "--no-build", "-c", configuration, "-o", folder.FullName, "-nodeReuse:false"])
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
