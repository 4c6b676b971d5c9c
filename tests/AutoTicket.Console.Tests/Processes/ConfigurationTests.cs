using System.Text.RegularExpressions;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Processes;

/// <summary>Nonsense stops the start with a sentence that names the variable.</summary>
[Collection(nameof(Processes))]
public sealed class ConfigurationTests
{
    private const string Secret = "canary-3fbd1c";

    [Theory]
    [InlineData("FLAG_CONSOLE_ALERTS_AUTO_TICKET", "banana")]
    [InlineData("FREESCOUT_OPERATIONS_MAILBOX_ID", "abc")]
    [InlineData("FREESCOUT_BASE_URL", "ftp://x")]
    [InlineData("FREESCOUT_BASE_URL", "https://me:" + Secret + "@tickets.example.org")]
    [InlineData("FREESCOUT_API_KEY", "two words " + Secret)]
    [InlineData("FREESCOUT_CUSTOMER_EMAIL", "nobody")]
    [InlineData("FreeScout__CallTimeout", "soon")]
    [InlineData("SLACK_BASE_URL", "https://me:" + Secret + "@slack.com/api/")]
    [InlineData("SLACK_BOT_TOKEN", "two words " + Secret)]
    [InlineData("Slack__SinglesPerMinute", "0")]
    [InlineData("DATABASE_URL", "garbage-" + Secret)]
    [InlineData("DATABASE_URL", "postgres://me:" + Secret + "@host/db?sslmode=maybe")]
    [InlineData("PORT", "xyz")]
    [InlineData("ASPNETCORE_URLS", "nonsense")]
    [InlineData("CONSOLE_PUBLIC_URL", "nonsense")]
    [InlineData("Surfaces__0__Url", "not a url")]
    [InlineData("Surfaces__0__Url", "https://me:" + Secret + "@example.org")]
    [InlineData("Surfaces__0__Key", "Not A Slug")]
    [InlineData("Surfaces__0__SlowAfter", "2")]
    [InlineData("Surfaces__0__Severity", "P9")]
    [InlineData("Surfaces__1__Key", "one")]
    [InlineData("Status__PollInterval", "nonsense")]
    [InlineData("Status__PollInterval", "00:00:00")]
    [InlineData("Status__Parallelism", "many")]
    [InlineData("Ticketing__Window", "0")]
    [InlineData("Ticketing__Lease", "00:00:04")]
    [InlineData("Logging__LogLevel__Default", "loud")]
    [InlineData("Sandbox__Enabled", "maybe")]
    public async Task A_setting_that_cannot_be_used_is_named_in_one_line(string variable, string value)
    {
        var result = await RunAsync(variable, value);

        AssertRefused(result, variable);
        Assert.DoesNotContain(Secret, result.Output + result.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Sandbox__Enabled", "true", "Sandbox__Enabled")]
    [InlineData("CONSOLE_OPERATOR_PASSWORD_HASH", "", "CONSOLE_OPERATOR_PASSWORD_HASH")]
    [InlineData("CONSOLE_OPERATOR_PASSWORD_HASH", "not-a-hash", "CONSOLE_OPERATOR_PASSWORD_HASH")]
    [InlineData("DYNO", "web.1", "DATABASE_URL")]
    public async Task Production_refuses_what_is_not_fit_for_it(string variable, string value, string named)
    {
        var result = await RunAsync(variable, value, new() { ["ASPNETCORE_ENVIRONMENT"] = "Production" });

        AssertRefused(result, named);
    }

    [Fact]
    public async Task A_port_that_is_taken_is_named()
    {
        await using var sandbox = await SandboxServer.StartAsync();

        var result = await RunAsync("ASPNETCORE_URLS", sandbox.Url.GetLeftPart(UriPartial.Authority));

        AssertRefused(result, "ASPNETCORE_URLS");
    }

    private static async Task<ConsoleResult> RunAsync(string variable, string value, Dictionary<string, string>? more = null)
    {
        Dictionary<string, string> settings = new()
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Development",
            ["Sandbox__Enabled"] = "false",
            ["CONSOLE_OPERATOR_PASSWORD_HASH"] = Security.Login.Hash("correct horse battery staple"),
        };
        if (variable.StartsWith("Surfaces", StringComparison.Ordinal))
        {
            (settings["Surfaces__0__Key"], settings["Surfaces__0__Url"]) = ("one", "https://example.org");
            settings["Surfaces__1__Key"] = "two";
            settings["Surfaces__1__Url"] = "https://example.org";
        }

        foreach (var (name, given) in (more ?? []).Append(KeyValuePair.Create(variable, value)))
        {
            settings[name] = given;
        }

        return await ConsoleProcess.RunToEndAsync([], settings);
    }

    /// <summary>Exit code 1, one sentence on standard error that names the variable, and no stack trace anywhere.</summary>
    private static void AssertRefused(ConsoleResult result, string variable)
    {
        Assert.True(result.ExitCode == 1, $"exit code {result.ExitCode}\n{result.Output}\n{result.Errors}");
        var line = Assert.Single(result.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("AutoTicket Console can't start: ", line, StringComparison.Ordinal);
        Assert.Contains(variable, line, StringComparison.Ordinal);
        Assert.DoesNotMatch(new Regex(@"\bat (System|Microsoft|AutoTicket)\."), result.Errors);
    }
}
