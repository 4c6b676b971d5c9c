using System.ComponentModel.DataAnnotations;
using AutoTicket.FreeScout;

namespace AutoTicket.Tests.FreeScout;

public sealed class FreeScoutOptionsTests
{
    [Theory]
    [InlineData("https://tickets.example", "https://tickets.example")]
    [InlineData("https://tickets.example/", "https://tickets.example")]
    [InlineData("https://tickets.example/api", "https://tickets.example")]
    [InlineData(" https://tickets.example/api/ ", "https://tickets.example")]
    [InlineData("https://example.org/help/desk/", "https://example.org/help/desk")]
    [InlineData("https://example.org/help/desk/api", "https://example.org/help/desk")]
    [InlineData("http://api", "http://api")]
    [InlineData("http://api/api/", "http://api")]
    public void The_address_may_end_in_a_slash_or_in_api_and_may_have_a_subdirectory(string given, string web)
    {
        var options = new FreeScoutOptions
        {
            BaseUrl = given,
            ApiKey = "k",
            OperationsMailboxId = "3",
        };

        Assert.Equal(web, options.WebUrl);
        Assert.Equal($"{web}/conversation/7", options.TicketUrl(7));
        Assert.Empty(Problems(options));
    }

    [Theory]
    [InlineData("FREESCOUT_BASE_URL", "tickets.example", null, null, null)]
    [InlineData("FREESCOUT_BASE_URL", "ftp://tickets.example", null, null, null)]
    [InlineData("FREESCOUT_BASE_URL", "https://olga:secret@tickets.example", null, null, null)]
    [InlineData("FREESCOUT_BASE_URL", "https://tickets.example/?api_key=secret", null, null, null)]
    [InlineData("FREESCOUT_API_KEY", null, "a3f0\nsecret", null, null)]
    [InlineData("FREESCOUT_OPERATIONS_MAILBOX_ID", null, null, "operations", null)]
    [InlineData("FREESCOUT_OPERATIONS_MAILBOX_ID", null, null, "-3", null)]
    [InlineData("FREESCOUT_CUSTOMER_EMAIL", null, null, null, "ops")]
    public void An_invalid_setting_is_named_and_its_secret_is_not_repeated(
        string variable,
        string? url,
        string? key,
        string? mailbox,
        string? customer
    )
    {
        var problem = Assert.Single(
            Problems(
                new FreeScoutOptions
                {
                    BaseUrl = url,
                    ApiKey = key,
                    OperationsMailboxId = mailbox,
                    CustomerEmail = customer,
                }
            )
        );

        Assert.Contains(variable, problem, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, "ops-console@tickets.example")]
    [InlineData(" ", "ops-console@tickets.example")]
    [InlineData(" night-watch@example.org ", "night-watch@example.org")]
    public void The_customer_is_one_technical_address(string? given, string address) =>
        Assert.Equal(address, new FreeScoutOptions { BaseUrl = "https://tickets.example/help", CustomerEmail = given }.Customer());

    private static IEnumerable<string> Problems(FreeScoutOptions options) =>
        options.Validate(new ValidationContext(options)).Select(problem => problem.ErrorMessage!);
}
