using System.Globalization;
using System.Text;
using AutoTicket.Alerts;
using AutoTicket.Intake;

namespace AutoTicket.Tests.Alerts;

public sealed class AlertTextTests
{
    private const string Family = "👨‍👩‍👧‍👦";

    [Theory]
    [Trait("Pitfall", "T-39b")]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(11)]
    [InlineData(12)]
    public void An_emoji_at_the_cut_is_kept_whole_or_dropped(int letters)
    {
        var text = new string('x', Alert.LongestSummary - letters) + string.Concat(Enumerable.Repeat(Family, 10_000));

        var (line, full) = AlertText.Summary(text);

        Assert.True(line.Length <= Alert.LongestSummary);
        Assert.EndsWith("…", line, StringComparison.Ordinal);
        Assert.All(Clusters(line[..^1]), cluster => Assert.True(cluster is "x" or Family, cluster));
        Assert.Equal(text, full);
        // Throws if the line ends within a surrogate pair.
        new UTF8Encoding(false, throwOnInvalidBytes: true).GetBytes(line);
    }

    [Fact]
    public void A_line_that_fits_is_not_cut()
    {
        var text = new string('x', Alert.LongestSummary - Family.Length) + Family;

        Assert.Equal((text, null), AlertText.Summary(text));
    }

    [Fact]
    public void A_letter_with_a_thousand_combining_marks_is_cut()
    {
        var (line, _) = AlertText.Summary("a" + new string('\u0301', 1000));

        Assert.Equal(Alert.LongestSummary, line.Length);
    }

    [Theory]
    [InlineData("  a\r\n\tb\u2028c ", "a b c")]
    [InlineData("gpj.\u202eexe\u202c \u2066x\u2069 \u200fy\u009bz", "gpj.exe x yz")]
    [InlineData("a\0b\u0007\u001b[31mc\u007f", "ab[31mc")]
    [InlineData("<script>alert(1)</script> *x*", "<script>alert(1)</script> *x*")]
    [Trait("Pitfall", "T-56")]
    public void A_summary_is_one_line_of_plain_text(string text, string line) => Assert.Equal((line, null), AlertText.Summary(text));

    [Fact]
    public void The_full_text_keeps_line_breaks_and_loses_control_characters()
    {
        var text = "first\nsecond\0\r\n" + new string('x', 600);

        Assert.Equal("first\nsecond\n" + new string('x', 600), AlertText.Summary(text).Full);
    }

    [Theory]
    [InlineData("https://example.org/a?b=\"c\"", "https://example.org/a?b=%22c%22")]
    [InlineData("http://prometheus:9090/graph?g0.expr=up", "http://prometheus:9090/graph?g0.expr=up")]
    [InlineData("javascript:alert(1)", null)]
    [InlineData("//example.org", null)]
    [InlineData("/graph", null)]
    [InlineData("data:text/html,x", null)]
    [InlineData("file:///etc/passwd", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void Only_http_and_https_addresses_are_linked(string? text, string? url) => Assert.Equal(url, AlertText.Url(text));

    private static IEnumerable<string> Clusters(string text)
    {
        for (var all = StringInfo.GetTextElementEnumerator(text); all.MoveNext(); )
        {
            yield return all.GetTextElement();
        }
    }
}
