using AutoTicket.Surfaces;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using Codes = AutoTicket.Surfaces.StatusCodes;

namespace AutoTicket.Tests.Surfaces;

/// <summary>A configuration error stops the start and names the variable and its value.</summary>
public sealed class SurfaceConfigurationTests
{
    [Fact]
    public void A_surface_needs_a_key_and_an_address_and_has_sensible_defaults()
    {
        var surface = Assert.Single(Read([]).All);

        Assert.Equal(
            new Surface
            {
                Key = "pay",
                Name = "pay",
                Url = new Uri("https://pay.example/health"),
                Timeout = TimeSpan.FromSeconds(7),
            },
            surface with
            {
                ExpectedStatus = Codes.Success,
            }
        );
        Assert.Equal(
            ("GET", Severity.P2, TimeSpan.FromSeconds(2), 2, 2, "200-299"),
            (surface.Method, surface.Severity, surface.SlowAfter, surface.DownAfter, surface.UpAfter, surface.ExpectedStatus.Text)
        );
    }

    [Fact]
    public void Surfaces_keep_their_number_order()
    {
        var surfaces = Read(
            new()
            {
                ["Surfaces:10:Key"] = "k10",
                ["Surfaces:10:Url"] = "http://h/",
                ["Surfaces:2:Key"] = "k2",
                ["Surfaces:2:Url"] = "http://h/",
            }
        );

        Assert.Equal(["pay", "k2", "k10"], surfaces.All.Select(surface => surface.Key));
    }

    [Theory]
    [InlineData("Key", "")]
    [InlineData("Key", "Pay")]
    [InlineData("Key", "-pay")]
    [InlineData("Key", "pay:eu")]
    [InlineData("Key", "a123456789-123456789-123456789-123456789-123456789-123456789-")]
    [InlineData("Url", "")]
    [InlineData("Url", "pay.example")]
    [InlineData("Url", "/health")]
    [InlineData("Url", "ftp://pay.example/")]
    [InlineData("Method", "DELETE")]
    [InlineData("ExpectedStatus", "2xx")]
    [InlineData("ExpectedStatus", "99")]
    [InlineData("Severity", "P5")]
    [InlineData("Severity", "0")]
    [InlineData("Severity", "2")]
    [InlineData("Severity", "P1,P2")]
    [InlineData("SlowAfter", "2")]
    [InlineData("SlowAfter", "soon")]
    [InlineData("Timeout", "00:06:00")]
    [InlineData("Timeout", "6m")]
    [InlineData("Timeout", "-00:00:01")]
    [InlineData("DownAfter", "0")]
    [InlineData("DownAfter", "many")]
    [InlineData("DownAfter", "61")]
    [InlineData("UpAfter", "61")]
    [InlineData("MaintenanceUntil", "tomorrow")]
    public void An_invalid_setting_is_refused_by_its_variables_name(string name, string value)
    {
        var mistake = Assert.Throws<ConfigurationException>(() => Read(new() { [$"Surfaces:0:{name}"] = value }));

        Assert.StartsWith($"Surfaces__0__{name} ", mistake.Message, StringComparison.Ordinal);
        Assert.Contains($"“{value}”", mistake.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_password_in_an_address_is_refused_and_not_repeated()
    {
        var mistake = Assert.Throws<ConfigurationException>(() => Read(new() { ["Surfaces:0:Url"] = "https://user:hunter2@pay.example/" }));

        Assert.StartsWith("Surfaces__0__Url ", mistake.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", mistake.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_that_is_used_twice_is_refused()
    {
        var mistake = Assert.Throws<ConfigurationException>(() =>
            Read(new() { ["Surfaces:1:Key"] = "pay", ["Surfaces:1:Url"] = "http://h/" })
        );

        Assert.StartsWith("Surfaces__1__Key “pay” is used twice", mistake.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("200", "200", "199,201")]
    [InlineData("200-299,401", "200,250,299,401", "199,300,400,402")]
    [InlineData(" 200 - 204 , 301 ", "200,204,301", "205,302")]
    [InlineData("100-599", "100,599", "")]
    public void Expected_statuses_are_codes_and_ranges(string text, string inside, string outside)
    {
        var codes = Codes.Parse(text)!;

        Assert.All(Numbers(inside), code => Assert.True(codes.Contains(code)));
        Assert.All(Numbers(outside), code => Assert.False(codes.Contains(code)));
    }

    [Theory]
    [InlineData("")]
    [InlineData(",")]
    [InlineData("200,")]
    [InlineData("200-")]
    [InlineData("-200")]
    [InlineData("299-200")]
    [InlineData("200-600")]
    [InlineData("99-200")]
    [InlineData("2xx")]
    [InlineData("200;201")]
    [InlineData("200-210-220")]
    public void An_invalid_list_of_statuses_is_null(string text) => Assert.Null(Codes.Parse(text));

    [Theory]
    [InlineData("PollInterval", "0s", "Status__PollInterval must be between")]
    [InlineData("ProbeTimeout", "10m", "Status__ProbeTimeout must be between")]
    [InlineData("Parallelism", "0", "Status__Parallelism must be between")]
    [InlineData("Retention", "1h", "Status__Retention must be between 1d")]
    public async Task The_pollers_settings_are_checked_at_start(string name, string value, string told)
    {
        var mistake = await Assert.ThrowsAsync<OptionsValidationException>(() =>
            ConsoleHost.StartAsync(settings: new Dictionary<string, string?> { [$"Status:{name}"] = value })
        );

        Assert.Contains(told, mistake.Message, StringComparison.Ordinal);
    }

    private static IEnumerable<int> Numbers(string text) => text.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse);

    private static SurfaceList Read(Dictionary<string, string?> settings) =>
        SurfaceList.Read(
            new ConfigurationBuilder()
                .AddInMemoryCollection(
                    new Dictionary<string, string?> { ["Surfaces:0:Key"] = "pay", ["Surfaces:0:Url"] = "https://pay.example/health" }
                )
                .AddInMemoryCollection(settings)
                .Build(),
            new StatusOptions { ProbeTimeout = TimeSpan.FromSeconds(7) }
        );
}
