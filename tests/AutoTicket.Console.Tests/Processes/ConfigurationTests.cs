using System.Globalization;
using System.Text.RegularExpressions;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Processes;

/// <summary>An invalid setting stops the start with one sentence that names its variable.</summary>
public sealed class ConfigurationTests(ConfigurationTests.Outside shared) : IClassFixture<ConfigurationTests.Outside>
{
    private const string Secret = "canary-3fbd1c";
    private static readonly string PasswordHash = Security.Login.Hash("correct horse battery staple");

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
    [InlineData("TRUSTED_PROXIES", "10.0.0.1, proxy.example.org")]
    [InlineData("TRUSTED_PROXIES", "0.0.0.0/0")]
    [InlineData("CONSOLE_SESSION_MAX_AGE", "00:00:10")]
    [InlineData("CONSOLE_SESSION_MAX_AGE", "for ever")]
    [InlineData("Surfaces__0__Url", "not a url")]
    [InlineData("Surfaces__0__Url", "https://me:" + Secret + "@example.org")]
    [InlineData("Surfaces__0__Key", "Not A Slug")]
    [InlineData("Surfaces__0__SlowAfter", "2")]
    [InlineData("Surfaces__0__Severity", "P9")]
    [InlineData("Surfaces__1__Key", "one")]
    [InlineData("Surfaces__0__Timout", "5s")]
    [InlineData("Status__PolInterval", "5s")]
    [InlineData("Circuits__PerSesion", "5")]
    [InlineData("Circuits__PerSession", "0")]
    [InlineData("Sandbox__Enable", "true")]
    [InlineData("CONSOLE_SESSION_LIFETIME", "24:00:00")]
    [InlineData("CONSOLE_SESSION_LIFETIME", "31d")]
    [InlineData("FreeScout__BreakDuration", "100ms")]
    [InlineData("Status__PollInterval", "nonsense")]
    [InlineData("Status__PollInterval", "00:00:00")]
    [InlineData("Status__Parallelism", "many")]
    [InlineData("Ticketing__Window", "0")]
    [InlineData("Ticketing__Lease", "00:00:04")]
    [InlineData("Logging__LogLevel__Default", "loud")]
    [InlineData("Logging__Console__FormatterName", "jsno")]
    [InlineData("Sandbox__Enabled", "maybe")]
    [InlineData("CONSOLE_API_TOKENS", "bot:boss:" + Secret)]
    [InlineData("CONSOLE_API_TOKENS", "bot:" + Secret)]
    [InlineData("CONSOLE_API_TOKENS", ":viewer:" + Secret)]
    [InlineData("CONSOLE_KEY_ENCRYPTION_KEY", Secret)]
    [InlineData("FREESCOUT_API_KEY", "'" + Secret + "'")]
    [InlineData("OIDC_ROLE_MAP", "\"authentik Admins=admin,staff=viewer\" ")]
    public async Task A_setting_that_cannot_be_used_is_named_in_one_line(string variable, string value) =>
        AssertNamed(await RefusedAsync(variable, value), variable);

    [Fact]
    public async Task The_sandbox_listens_only_where_the_console_calls_it()
    {
        var settings = Settings("Sandbox__Address");
        (settings["Sandbox__Enabled"], settings["Sandbox__Address"]) = ("true", "192.0.2.7");

        AssertNamed(await ConsoleHost.RefusalAsync(shared.Database, shared.Sandbox, settings, "Development"), "Sandbox__Address");
    }

    [Theory]
    [InlineData("Sandbox__Enabled", "true", "Sandbox__Enabled")]
    [InlineData("CONSOLE_OPERATOR_PASSWORD_HASH", "", "CONSOLE_OPERATOR_PASSWORD_HASH")]
    [InlineData("CONSOLE_OPERATOR_PASSWORD_HASH", "not-a-hash", "CONSOLE_OPERATOR_PASSWORD_HASH")]
    // PBKDF2 with 100,000 iterations.
    [InlineData(
        "CONSOLE_OPERATOR_PASSWORD_HASH",
        "AQAAAAIAAYagAAAAEAABAgMEBQYHCAkKCwwNDg/F82/mx+OwWr0QHAWyuVqjzKcjb7NkOUseLhxacRgqVQ==",
        "CONSOLE_OPERATOR_PASSWORD_HASH"
    )]
    [InlineData("DYNO", "web.1", "DATABASE_URL")]
    public async Task Production_refuses_an_unsafe_setting(string variable, string value, string named) =>
        AssertNamed(await RefusedAsync(variable, value, "Production"), named);

    [Theory]
    [InlineData("Sandbox__Enabled", "true", "Sandbox__Enabled")]
    [InlineData("CONSOLE_OPERATOR_PASSWORD_HASH", "", "CONSOLE_OPERATOR_PASSWORD_HASH")]
    [InlineData("CONSOLE_API_TOKENS", "bot:viewer:" + Secret, "CONSOLE_API_TOKENS")]
    [InlineData("ALERTS_INGEST_TOKEN", "0123456789abcdef0123456789abcdef, " + Secret, "ALERTS_INGEST_TOKEN")]
    [InlineData("METRICS_TOKEN", Secret, "METRICS_TOKEN")]
    public async Task Every_environment_but_Development_is_as_strict_as_Production(string variable, string value, string named) =>
        AssertNamed(await RefusedAsync(variable, value, "Staging"), named);

    /// <summary>One setting for each moment of rejection: reading settings, validating options, opening the port.</summary>
    [Theory]
    [InlineData("FREESCOUT_BASE_URL", "https://me:" + Secret + "@tickets.example.org")]
    [InlineData("DATABASE_URL", "postgres://me:" + Secret + "@host/db?sslmode=maybe")]
    [InlineData("ASPNETCORE_URLS", "http://127.0.0.1:{taken}")]
    public async Task A_refused_start_exits_with_1_and_one_sentence_on_standard_error(string variable, string value)
    {
        var settings = Settings(variable);
        settings[variable] = value.Replace(
            "{taken}",
            shared.Sandbox.Url.Port.ToString(CultureInfo.InvariantCulture),
            StringComparison.Ordinal
        );

        var result = await ConsoleProcess.RunToEndAsync([], settings);

        Assert.True(result.ExitCode == 1, $"exit code {result.ExitCode}\n{result.Output}\n{result.Errors}");
        var line = Assert.Single(result.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("AutoTicket Console can't start: ", line, StringComparison.Ordinal);
        Assert.Contains(variable, line, StringComparison.Ordinal);
        Assert.DoesNotMatch(new Regex(@"\bat (System|Microsoft|AutoTicket)\."), result.Errors);
        Assert.DoesNotContain(Secret, result.Output + result.Errors, StringComparison.Ordinal);
    }

    private Task<string> RefusedAsync(string variable, string value, string environment = "Development")
    {
        var settings = Settings(variable);
        settings[variable] = value;
        return ConsoleHost.RefusalAsync(shared.Database, shared.Sandbox, settings, environment);
    }

    private static void AssertNamed(string message, string variable)
    {
        Assert.Contains(variable, message, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, message, StringComparison.Ordinal);
    }

    private static Dictionary<string, string> Settings(string variable)
    {
        Dictionary<string, string> settings = new()
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Development",
            ["Sandbox__Enabled"] = "false",
            ["CONSOLE_OPERATOR_PASSWORD_HASH"] = PasswordHash,
        };
        if (variable.StartsWith("Surfaces", StringComparison.Ordinal))
        {
            (settings["Surfaces__0__Key"], settings["Surfaces__0__Url"]) = ("one", "https://example.org");
            (settings["Surfaces__1__Key"], settings["Surfaces__1__Url"]) = ("two", "https://example.org");
        }

        return settings;
    }

    public sealed class Outside : IAsyncLifetime
    {
        internal TestDatabase Database { get; private set; } = null!;

        internal SandboxServer Sandbox { get; private set; } = null!;

        public async Task InitializeAsync() =>
            (Database, Sandbox) = (await TestDatabase.CreateAsync(Kit.Database.Sqlite), await SandboxServer.StartAsync());

        public async Task DisposeAsync()
        {
            await Sandbox.DisposeAsync();
            await Database.DisposeAsync();
        }
    }
}
