using System.Diagnostics;

namespace AutoTicket.Tests.Processes;

/// <summary>The first command of the README.</summary>
public sealed class FirstCommandTests
{
    [Fact]
    public async Task Dotnet_run_starts_the_sandbox_without_a_setting()
    {
        var folder = Directory.CreateTempSubdirectory("autoticket-first-");
        var start = new ProcessStartInfo(
            "dotnet",
            ["run", "--no-build", "--project", "src/AutoTicket.Console", "--urls", "http://127.0.0.1:0"]
        )
        {
            WorkingDirectory = ContentRoot.Find(),
            RedirectStandardOutput = true,
        };
        start.Environment.Remove("ASPNETCORE_ENVIRONMENT");
        start.Environment.Remove("DOTNET_ENVIRONMENT");
        start.Environment["AUTOTICKET_SQLITE_PATH"] = Path.Combine(folder.FullName, "autoticket.db");
        start.Environment["Sandbox__StatePath"] = Path.Combine(folder.FullName, "sandbox.json");
        using var run = Process.Start(start)!;
        try
        {
            using var patience = new CancellationTokenSource(Eventually.Patience);
            string? line,
                address = null;
            while (address is null && (line = await run.StandardOutput.ReadLineAsync(patience.Token)) is not null)
            {
                address = line.Split("Now listening on: ") is [_, var url] ? url : null;
            }

            using var http = new HttpClient();
            Assert.Contains("\"partner-feed\"", await http.GetStringAsync($"{address}/api/status"), StringComparison.Ordinal);
        }
        finally
        {
            run.Kill(entireProcessTree: true);
            await run.WaitForExitAsync();
            folder.Delete(recursive: true);
        }
    }
}
