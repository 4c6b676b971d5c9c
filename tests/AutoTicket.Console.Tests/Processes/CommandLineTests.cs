using System.Diagnostics;
using AutoTicket.Security;

namespace AutoTicket.Tests.Processes;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("--help", "migrate")]
    [InlineData("--version", "AutoTicket Console ")]
    public async Task Help_and_version_are_printed(string argument, string expected)
    {
        var result = await ConsoleProcess.RunToEndAsync([argument], new Dictionary<string, string>());

        Assert.Equal((0, ""), (result.ExitCode, result.Errors));
        Assert.Contains(expected, result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_verb_exits_with_2_and_starts_nothing()
    {
        var result = await ConsoleProcess.RunToEndAsync(["mirgate"], new Dictionary<string, string>());

        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        var line = Assert.Single(result.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("“mirgate”", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(null, "--urls", "http://127.0.0.1:0")]
    [InlineData(null, "--urls=http://127.0.0.1:0", "/Status:PollInterval", "5s", "Sandbox:Enabled=false")]
    [InlineData("now", "now")]
    [InlineData("now", "--urls", "http://127.0.0.1:0", "now")]
    [InlineData("--verbose", "--verbose")]
    [InlineData("-v", "-v")]
    [InlineData("-v=1", "-v=1")]
    [InlineData("", "")]
    public void An_argument_that_is_no_setting_is_reported(string? unknown, params string[] arguments) =>
        Assert.Equal(unknown, CommandLine.Unknown(arguments));

    [Fact]
    public async Task A_password_typed_at_a_terminal_is_not_shown()
    {
        const string password = "correct horse battery staple";
        var folder = Directory.CreateTempSubdirectory("autoticket-terminal-");
        var start = ConsoleBinary.StartInfo([], new Dictionary<string, string>(), folder);
        var command = $"'{start.FileName}' '{ConsoleBinary.Path}' hash-password";
        // script gives the command a terminal.
        start.FileName = "script";
        start.ArgumentList.Clear();
        foreach (var argument in (string[])["--quiet", "--return", "--flush", "--command", command, "/dev/null"])
        {
            start.ArgumentList.Add(argument);
        }

        using var terminal = Process.Start(start)!;
        Reaper.Watch(terminal.Id);
        var output = new OutputLines();
        var reading = output.ReadAsync(terminal.StandardOutput);
        await output.WaitForLineAsync(line => line.Contains("press Enter", StringComparison.Ordinal), Eventually.Patience);
        await terminal.StandardInput.WriteAsync($"{password}\n");
        await terminal.StandardInput.FlushAsync();
        await terminal.WaitForExitAsync().WaitAsync(Eventually.Patience);
        await reading;
        folder.Delete(recursive: true);

        Assert.Equal(0, terminal.ExitCode);
        Assert.DoesNotContain(output.ToList(), line => line.Contains("correct", StringComparison.Ordinal));
        Assert.True(Login.IsHash(output.ToList()[^1].Trim()), output.ToString());
    }
}
