using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AutoTicket.Tests;

public sealed class LineFormatterTests
{
    [Theory]
    [
        InlineData('\n', "\\n"),
        InlineData('\r', "\\r"),
        InlineData('\0', "\\u0000"),
        InlineData('\u001b', "\\u001b"),
        InlineData('\u007f', "\\u007f")
    ]
    [
        InlineData('\u0080', "\\u0080"),
        InlineData('\u0085', "\\u0085"),
        InlineData('\u0090', "\\u0090"),
        InlineData('\u009b', "\\u009b"),
        InlineData('\u009f', "\\u009f")
    ]
    [InlineData('\u2028', "\\u2028"), InlineData('\u2029', "\\u2029"), InlineData('\u202a', "\\u202a"), InlineData('\u202e', "\\u202e")]
    [
        InlineData('\u061c', "\\u061c"),
        InlineData('\u200e', "\\u200e"),
        InlineData('\u200f', "\\u200f"),
        InlineData('\u2066', "\\u2066"),
        InlineData('\u2069', "\\u2069")
    ]
    [
        InlineData('\u00a0', "\u00a0"),
        InlineData('\u00e9', "\u00e9"),
        InlineData('\u2026', "\u2026"),
        InlineData('\u202f', "\u202f"),
        InlineData('\u206a', "\u206a")
    ]
    public void Line_breaks_terminal_commands_and_bidirectional_controls_are_escaped(char character, string written)
    {
        using var writer = new StringWriter();
        var entry = new LogEntry<string>(LogLevel.Warning, "category", default, $"a{character}b", null, (text, _) => text);

        new LineFormatter(new StillClock()).Write(entry, null, writer);

        Assert.EndsWith($" WARNING category a{written}b\n", writer.ToString(), StringComparison.Ordinal);
    }
}
