using System.Reflection;
using System.Text.RegularExpressions;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Diagnostics;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;
using AutoTicket.Slack;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests;

/// <summary>Valid values of settings, and the messages for invalid ones.</summary>
public sealed class SettingsTests
{
    [Theory]
    [InlineData("500ms", 0.5)]
    [InlineData("30s", 30)]
    [InlineData("3.5s", 3.5)]
    [InlineData(" 5m ", 300)]
    [InlineData("24h", 86_400)]
    [InlineData("90d", 90 * 86_400)]
    [InlineData("0s", 0)]
    [InlineData("00:00:02", 2)]
    [InlineData("00:00:00.2", 0.2)]
    [InlineData("23:59:59", 86_399)]
    [InlineData("1.00:00:00", 86_400)]
    public void A_duration_is_read(string text, double seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), Read(text, TimeSpan.MaxValue));

    /// <summary>.NET's own parser reads 24:00:00 as 24 days and 30 as 30 days.</summary>
    [Theory]
    [InlineData("24:00:00")]
    [InlineData("1.24:00:00")]
    [InlineData("30")]
    [InlineData("0")]
    [InlineData("1.5")]
    [InlineData("05:00")]
    [InlineData("00:60:00")]
    [InlineData("24 h")]
    [InlineData("5min")]
    [InlineData("5M")]
    [InlineData("-5m")]
    [InlineData("99999999d")]
    [InlineData("soon")]
    public void An_invalid_duration_is_refused_with_examples_of_valid_ones(string text)
    {
        var refusal = Assert.Throws<ConfigurationException>(() => Read(text, TimeSpan.Zero)).Message;

        Assert.Equal(
            "CONSOLE_SESSION_LIFETIME must be a duration such as 500ms, 30s, 5m, 24h or 90d, or such as 00:00:30 with at most 23 hours, "
                + $"but is “{text}”.",
            refusal
        );
    }

    [Fact]
    public void Any_text_for_a_duration_is_read_or_refused()
    {
        var random = new Random(15);
        string[] pieces = ["1", "24", "9999999", ".", ":", "-", "00", "ms", "s", "m", "h", "d", "e", " ", "\0", "\ud83d", "٣"];
        for (var i = 0; i < 20_000; i++)
        {
            var text = string.Concat(random.GetItems(pieces, 1 + random.Next(7)));
            try
            {
                Read(text, TimeSpan.Zero);
            }
            catch (ConfigurationException refusal)
            {
                Assert.StartsWith("CONSOLE_SESSION_LIFETIME must be a duration", refusal.Message, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData(0, "0s")]
    [InlineData(0.05, "50ms")]
    [InlineData(3.5, "3500ms")]
    [InlineData(90, "90s")]
    [InlineData(3600, "1h")]
    [InlineData(129_600, "36h")]
    [InlineData(90 * 86_400, "90d")]
    public void A_duration_is_printed_in_a_form_that_the_parser_accepts(double seconds, string text)
    {
        Assert.Equal(text, Settings.Text(TimeSpan.FromSeconds(seconds)));
        Assert.Equal(TimeSpan.FromSeconds(seconds), Read(text, TimeSpan.MaxValue));
    }

    [Theory]
    [InlineData("Status__PolInterval", "5s", "Status__PollInterval")]
    [InlineData("Ticketing__Flood_Budget", "5", "Ticketing__FloodBudget")]
    [InlineData("Alerts__Retain", "5d", "Alerts__Retention")]
    [InlineData("FreeScout__Timeout", "5s", "FreeScout__CallTimeout")]
    [InlineData("Slack__RemindsAt", "09:00:00", "Slack__RemindAt")]
    [InlineData("Diagnostics__Canary", "5s", "Diagnostics__CanaryInterval")]
    [InlineData("Leader__Leese", "5s", "Leader__Lease")]
    public void An_unknown_setting_is_refused_with_the_nearest_known_name(string variable, string value, string nearest)
    {
        var refusal = Assert.Throws<ConfigurationException>(() => Check(variable, value));

        Assert.Equal($"{variable} is not a setting. The nearest is {nearest}.", refusal.Message);
    }

    [Theory]
    [InlineData("FREESCOUT_APIKEY", "FREESCOUT_API_KEY")]
    [InlineData("FREE_SCOUT_API_KEY", "FREESCOUT_API_KEY")]
    [InlineData("SLACK_BOT_TOKN", "SLACK_BOT_TOKEN")]
    [InlineData("SLACK_OPERATER_USER_ID", "SLACK_OPERATOR_USER_ID")]
    [InlineData("DATABSE_URL", "DATABASE_URL")]
    [InlineData("TRUSTED_PROXY", null)]
    [InlineData("Surface__0__Url", "Surfaces")]
    [InlineData("Ticketng__Lease", "Ticketing")]
    [InlineData("Free_Scout__CallTimeout", "FreeScout")]
    [InlineData("FREESCOUT_API_KEY", null)]
    [InlineData("freescout_api_key", null)]
    [InlineData("surfaces__0__Url", null)]
    [InlineData("PATH", null)]
    [InlineData("PORTS", null)]
    [InlineData("FREESCOUT_HOST", null)]
    [InlineData("SLACK_WEBHOOK_URL", null)]
    [InlineData("Kestrel__Endpoints__Http__Url", null)]
    [InlineData("Serilog__MinimumLevel", null)]
    public void A_misspelled_variable_is_reported_with_the_probable_name(string variable, string? meant)
    {
        var misspelled = MisspelledSettings.In(Configuration((variable.Replace("__", ":", StringComparison.Ordinal), "x"))).ToList();

        Assert.Equal(meant is null ? [] : [(variable.Split("__")[0], meant)], misspelled);
    }

    [Fact]
    public void A_variable_is_not_misspelled_if_the_correct_one_is_set_too() =>
        Assert.Empty(MisspelledSettings.In(Configuration(("SLACK_BOT_TOKEN", "x"), ("SLACK_BOT_TOKENS", "another program's"))));

    [Fact]
    public async Task A_misspelled_variable_is_a_warning_at_the_start_without_its_value()
    {
        await using var console = await ConsoleHost.StartAsync(
            settings: new Dictionary<string, string?> { ["OIDC_AUTORITY"] = "canary-3fbd1c" }
        );

        var line = Assert.Single(console.Log, line => line.Contains("OIDC_AUTORITY", StringComparison.Ordinal));
        Assert.StartsWith("WARNING ", line, StringComparison.Ordinal);
        Assert.EndsWith("is not read. Is OIDC_AUTHORITY meant?", line, StringComparison.Ordinal);
        Assert.DoesNotContain(console.Log, line => line.Contains("canary", StringComparison.Ordinal));
    }

    /// <summary>Every name on the page, except .NET's own and those too short to be similar to another.</summary>
    [Fact]
    public void All_variables_that_can_be_misspelled_are_known()
    {
        var table = File.ReadLines(ConfigurationPage)
            .Where(line => line.StartsWith("| `", StringComparison.Ordinal))
            .SelectMany(line => Regex.Matches(line.Split('|')[1], "`([A-Za-z_]+)`").Select(match => match.Groups[1].Value))
            .ToList();

        Assert.Empty(
            table
                .Where(name => name.Contains("__", StringComparison.Ordinal))
                .Select(name => name.Split("__")[0])
                .Except([.. MisspelledSettings.Sections, "Logging"])
        );
        Assert.Empty(
            table
                .Where(name => name.Any(char.IsAsciiLetterUpper) && !name.Any(char.IsAsciiLetterLower))
                .Except([.. MisspelledSettings.Variables, "PORT", "ASPNETCORE_URLS", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME"])
        );
        Assert.Contains("FREESCOUT_API_KEY", table);
    }

    /// <summary>A setting with its own environment variable has no second name in its section.</summary>
    [Fact]
    public void A_setting_with_its_own_variable_has_no_second_name()
    {
        var refusal = Assert.Throws<ConfigurationException>(() => Check("Slack__BotToken", "xoxb-1"));

        Assert.StartsWith("Slack__BotToken is not a setting. ", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Status__PollInterval", "1h30m", "Status__PollInterval must be a duration such as")]
    [InlineData("Alerts__NotifySeverity", "7", "Alerts__NotifySeverity must be one of P1, P2, P3, P4, but is “7”.")]
    [InlineData("Alerts__DefaultSeverity", "P1,P2", "Alerts__DefaultSeverity must be one of P1, P2, P3, P4, but is “P1,P2”.")]
    [InlineData("Status__Parallelism", "0", "Status__Parallelism must be between 1 and 4096, but is 0.")]
    [InlineData("Status__Retention", "1h", "Status__Retention must be between 1d and 3650d, but is 1h.")]
    [InlineData("Slack__SinglesPerMinute", "0", "Slack__SinglesPerMinute must be between 1 and 60, but is 0.")]
    [InlineData("Slack__SinglesPerMinute", "61", "Slack__SinglesPerMinute must be between 1 and 60, but is 61.")]
    [InlineData("Leader__Lease", "1s", "Leader__Lease must be between 3s and 5m, but is 1s.")]
    [InlineData("FreeScout__BreakDuration", "100ms", "FreeScout__BreakDuration must be between 500ms and 5m, but is 100ms.")]
    [InlineData("Escalation__UnclaimedAfterP1", "soon", "Escalation__UnclaimedAfterP1 must be a duration such as 500ms, 30s, 5m")]
    [InlineData("Escalation__UnclaimedAfterP2", "0s", "Escalation__UnclaimedAfterP2 must be between 1s and 30d, but is 0s.")]
    [InlineData("Escalation__Unclaimed", "5m", "Escalation__Unclaimed is not a setting. The nearest is Escalation__UnclaimedAfterP")]
    [InlineData("FreeScout__RetryDelay", "1h", "FreeScout__RetryDelay must be between 0s and 10s, but is 1h.")]
    public void An_out_of_range_value_is_reported_in_a_form_that_the_parser_accepts(string variable, string value, string told)
    {
        var mistake = Assert.ThrowsAny<Exception>(() => Check(variable, value));

        Assert.StartsWith(told, mistake.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Never_switches_a_duration_off_and_the_error_names_it()
    {
        using var off = Options(("Escalation:UnclaimedAfterP1", "never"));
        var options = off.GetRequiredService<IOptions<UnclaimedOptions>>().Value;

        Assert.Equal((null, TimeSpan.FromHours(1)), (options.UnclaimedAfterP1, options.UnclaimedAfterP2));
        Assert.EndsWith(
            ", or never, but is “Never?”.",
            Assert.ThrowsAny<Exception>(() => Check("Escalation__UnclaimedAfterP1", "Never?")).Message,
            StringComparison.Ordinal
        );
        Assert.ThrowsAny<Exception>(() => Check("Status__PollInterval", "never"));
    }

    /// <summary>appsettings.json repeats the code's defaults, in a form that the parser accepts.</summary>
    [Fact]
    public void Appsettings_equal_the_defaults_of_the_code()
    {
        using var bare = Options();
        var json = new ConfigurationBuilder().AddJsonFile(Path.Combine(ContentRoot.Find(), "appsettings.json")).Build();
        using var file = Options([.. json.AsEnumerable().Select(pair => (pair.Key, pair.Value))]);

        Same<StatusOptions>();
        Same<TicketingOptions>();
        Same<FreeScoutOptions>();

        void Same<T>()
            where T : class =>
            Assert.Equivalent(bare.GetRequiredService<IOptions<T>>().Value, file.GetRequiredService<IOptions<T>>().Value);
    }

    /// <summary>A default in docs/configuration.md is the code's, and can be written as it stands there.</summary>
    [Fact]
    public void The_page_says_the_defaults_of_the_code()
    {
        using var bare = Options();
        var told = new List<string>();
        foreach (var cells in File.ReadLines(ConfigurationPage).Select(line => line.Split(" | ")))
        {
            var names = Regex.Matches(cells[0], "`(?:([A-Za-z]+)__|…)([A-Za-z]+)`").ToList();
            var section = names.Count > 0 ? names[0].Groups[1].Value : "";
            if (cells is not [_, _, _, ['`' or (>= '0' and <= '9'), ..] defaults] || section is "" or "Surfaces" or "Sandbox" or "Circuits")
            {
                continue;
            }

            var values = Regex.Replace(defaults, @"\([^)]*\)", "").Trim(' ', '|').Split(',');
            Assert.Equal(names.Count, values.Length);
            foreach (var (name, value) in names.Zip(values))
            {
                told.Add($"{section}:{name.Groups[2].Value}");
                using var set = Options((told[^1], value.Trim(' ', '`')));
                Same<StatusOptions>(set);
                Same<TicketingOptions>(set);
                Same<AlertsOptions>(set);
                Same<FreeScoutOptions>(set);
                Same<SlackOptions>(set);
                Same<DiagnosticsOptions>(set);
                Same<LeaderOptions>(set);
                Same<AuditOptions>(set);
                Same<UnclaimedOptions>(set);
            }
        }

        Assert.Contains("Audit:Retention", told);
        Assert.Contains("Ticketing:Grace", told);
        Assert.InRange(told.Count, 25, 60);

        void Same<T>(ServiceProvider set)
            where T : class => Assert.Equivalent(bare.GetRequiredService<IOptions<T>>().Value, set.GetRequiredService<IOptions<T>>().Value);
    }

    /// <summary>The page names every setting of the code, with its type.</summary>
    [Fact]
    public void The_page_says_the_types_of_the_code()
    {
        var told = TypesOnThePage();

        Assert.All(
            SettingsOf<StatusOptions>("Status")
                .Concat(SettingsOf<TicketingOptions>("Ticketing"))
                .Concat(SettingsOf<AlertsOptions>("Alerts"))
                .Concat(SettingsOf<FreeScoutOptions>("FreeScout"))
                .Concat(SettingsOf<SlackOptions>("Slack"))
                .Concat(SettingsOf<DiagnosticsOptions>("Diagnostics"))
                .Concat(SettingsOf<LeaderOptions>("Leader"))
                .Concat(SettingsOf<AuditOptions>("Audit"))
                .Concat(SettingsOf<UnclaimedOptions>("Escalation"))
                .Concat(SettingsOf<Surface>("Surfaces__N")),
            setting => Assert.Equal((setting.Name, setting.Type), (setting.Name, told.GetValueOrDefault(setting.Name)))
        );
        Assert.Empty(told.Values.Except(["duration", "duration or `never`", "number", "flag", "text", "list", "severity", "time", "URL"]));
        Assert.Equal(("URL", "number"), (told["FREESCOUT_BASE_URL"], told["Ticketing__FloodBudgetPerSource"]));

        IEnumerable<(string Name, string Type)> SettingsOf<T>(string section) =>
            from property in typeof(T).GetProperties()
            where property.CanWrite
            let name = property.GetCustomAttribute<ConfigurationKeyNameAttribute>()?.Name ?? $"{section}__{property.Name}"
            select (name, TypeOf(name, property.PropertyType, told.GetValueOrDefault(name)));
    }

    /// <summary>The setting's type as the page must name it. Of the settings that the code keeps as text, only validation knows URLs and
    /// numbers.</summary>
    /// <param name="told">A list of the code is a text, so the page may say either.</param>
    private static string TypeOf(string variable, Type type, string? told) =>
        type == typeof(TimeSpan) ? "duration"
        : type == typeof(TimeSpan?) ? "duration or `never`"
        : type == typeof(int) ? "number"
        : type == typeof(bool) ? "flag"
        : type == typeof(Severity) ? "severity"
        : type == typeof(DateTimeOffset?) ? "time"
        : type == typeof(Uri) ? "URL"
        : type == typeof(StatusCodes) ? "list"
        : type != typeof(string) ? $"{type.Name} has no name on the page"
        : Record.Exception(() => Check(variable, "?"))?.Message is not { } refusal ? TextOrList(told)
        : refusal.Contains("must be an absolute http or https address", StringComparison.Ordinal) ? "URL"
        : refusal.Contains("must be the number of", StringComparison.Ordinal) ? "number"
        : TextOrList(told);

    private static string TextOrList(string? told) => told == "list" ? told : "text";

    /// <summary>The types by the variables' names. A row says one for all its variables, or one for each.</summary>
    private static Dictionary<string, string> TypesOnThePage()
    {
        var types = new Dictionary<string, string>();
        foreach (var line in File.ReadLines(ConfigurationPage).Where(line => line.StartsWith("| `", StringComparison.Ordinal)))
        {
            var cells = line.Split(" | ");
            var names = Regex.Matches(cells[0], "`(…?)((?:[A-Za-z]+__)*)([A-Za-z_0-9]+)`").ToList();
            var told = cells[1].Split(", ");
            Assert.True(told.Length == 1 || told.Length == names.Count, line);
            foreach (var (name, number) in names.Select((name, number) => (name, number)))
            {
                var section = (name.Groups[1].Length > 0 ? names[0] : name).Groups[2].Value;
                types.Add(section + name.Groups[3].Value, told.Length == 1 ? told[0] : told[number]);
            }
        }

        return types;
    }

    private static string ConfigurationPage => Path.Combine(ContentRoot.Find(), "docs", "configuration.md");

    private static TimeSpan Read(string text, TimeSpan otherwise) =>
        Settings.Read(Configuration(("CONSOLE_SESSION_LIFETIME", text)), "CONSOLE_SESSION_LIFETIME", otherwise);

    private static IConfiguration Configuration(params IEnumerable<(string Key, string? Value)> settings) =>
        new ConfigurationBuilder()
            .AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, setting.Value)))
            .Build();

    private static void Check(string variable, string value)
    {
        using var options = Options((variable.Replace("__", ":", StringComparison.Ordinal), value));
        options.GetRequiredService<IStartupValidator>().Validate();
    }

    private static ServiceProvider Options(params (string Key, string? Value)[] settings)
    {
        var services = new ServiceCollection();
        services.AddSingleton(Configuration(settings));
        services.AddSettings<StatusOptions>("Status");
        services.AddSettings<TicketingOptions>("Ticketing");
        services.AddSettings<AlertsOptions>("Alerts");
        services.AddSettings<FreeScoutOptions>("FreeScout");
        services.AddSettings<SlackOptions>("Slack");
        services.AddSettings<DiagnosticsOptions>("Diagnostics");
        services.AddSettings<LeaderOptions>("Leader");
        services.AddSettings<AuditOptions>("Audit");
        services.AddSettings<UnclaimedOptions>("Escalation");
        return services.BuildServiceProvider();
    }
}
