namespace AutoTicket.Tests.Processes;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("--help", "migrate")]
    [InlineData("--version", "AutoTicket Console ")]
    public async Task What_it_is_and_takes_is_printed(string argument, string told)
    {
        var result = await ConsoleProcess.RunToEndAsync([argument], new Dictionary<string, string>());

        Assert.Equal((0, ""), (result.ExitCode, result.Errors));
        Assert.Contains(told, result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_verb_that_is_not_known_ends_with_2_and_starts_nothing()
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
    public void What_is_no_setting_is_not_ignored(string? unknown, params string[] arguments) =>
        Assert.Equal(unknown, CommandLine.Unknown(arguments));
}
