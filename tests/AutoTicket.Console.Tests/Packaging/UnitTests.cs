using System.Diagnostics;

namespace AutoTicket.Tests.Packaging;

/// <summary>The systemd unit.</summary>
public sealed class UnitTests
{
    private static readonly string Unit = Path.Combine(ContentRoot.Find(), "src", "packaging", "autoticket-console.service");

    [Fact]
    public async Task The_unit_exposes_at_most_2_of_10()
    {
        // The threshold is in tenths.
        var (status, output) = await RunAsync("security", "--offline=true", "--no-pager", "--threshold=20", Unit);
        Assert.True(status == 0, output);
        Assert.Contains("Overall exposure level", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Systemd_knows_each_setting_of_the_unit()
    {
        var (_, output) = await RunAsync("verify", "--man=no", Unit);
        // The program is not installed here.
        Assert.Contains("autoticket", output, StringComparison.Ordinal);
        Assert.All(
            output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line.Contains("autoticket", StringComparison.Ordinal)),
            line => Assert.Contains("is not executable: No such file", line, StringComparison.Ordinal)
        );
    }

    private static async Task<(int Status, string Output)> RunAsync(params string[] arguments)
    {
        using var analyze = Process.Start(
            new ProcessStartInfo("systemd-analyze", arguments) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        var (output, errors) = (analyze.StandardOutput.ReadToEndAsync(), analyze.StandardError.ReadToEndAsync());
        await analyze.WaitForExitAsync().WaitAsync(Eventually.Patience);
        return (analyze.ExitCode, await output + await errors);
    }
}
