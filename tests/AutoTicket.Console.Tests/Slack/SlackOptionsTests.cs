using System.ComponentModel.DataAnnotations;
using AutoTicket.Slack;

namespace AutoTicket.Tests.Slack;

public sealed class SlackOptionsTests
{
    [Theory]
    [InlineData(null, "https://slack.com/api/")]
    [InlineData(" ", "https://slack.com/api/")]
    [InlineData("http://127.0.0.1:5081/slack/api", "http://127.0.0.1:5081/slack/api/")]
    [InlineData(" https://slack.com/api/ ", "https://slack.com/api/")]
    public void Slacks_address_has_a_default_and_needs_no_trailing_slash(string? given, string api)
    {
        var options = new SlackOptions
        {
            BaseUrl = given,
            BotToken = "xoxb-1",
            OperatorUserId = "U012AB3CD",
        };

        Assert.Equal(api, options.ApiUrl);
        Assert.Empty(Problems(options));
        Assert.Empty(options.Missing());
    }

    [Theory]
    [InlineData("SLACK_BASE_URL", "slack.com/api", null, null)]
    [InlineData("SLACK_BASE_URL", "/slack/api", null, null)]
    [InlineData("SLACK_BASE_URL", "ftp://slack.com/api", null, null)]
    [InlineData("SLACK_BASE_URL", "https://olga:secret@slack.com/api", null, null)]
    [InlineData("SLACK_BASE_URL", "https://slack.com/api?token=secret", null, null)]
    [InlineData("SLACK_BOT_TOKEN", null, "xoxb\nsecret", null)]
    [InlineData("SLACK_OPERATOR_USER_ID", null, null, "@olga")]
    public void An_invalid_setting_is_named_and_its_secret_is_not_repeated(string variable, string? url, string? token, string? user)
    {
        var problem = Assert.Single(
            Problems(
                new SlackOptions
                {
                    BaseUrl = url,
                    BotToken = token,
                    OperatorUserId = user,
                }
            )
        );

        Assert.Contains(variable, problem, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, null, "SLACK_BOT_TOKEN SLACK_OPERATOR_USER_ID")]
    [InlineData("xoxb-1", " ", "SLACK_OPERATOR_USER_ID")]
    [InlineData("", "U012AB3CD", "SLACK_BOT_TOKEN")]
    public void A_missing_setting_is_named_and_not_invalid(string? token, string? user, string missing)
    {
        var options = new SlackOptions { BotToken = token, OperatorUserId = user };

        Assert.Equal(missing, string.Join(' ', options.Missing()));
        Assert.Empty(Problems(options));
    }

    private static IEnumerable<string> Problems(SlackOptions options) =>
        options.Validate(new ValidationContext(options)).Select(problem => problem.ErrorMessage!);
}
