using System.Text.RegularExpressions;

namespace AutoTicket.Tests.Processes;

/// <summary>A line of the console's log in the documented format, <c>timestamp LEVEL category message</c>.</summary>
internal sealed partial record LogLine(string Level, string Category, string Message)
{
    public static LogLine? Parse(string line) =>
        Format().Match(line) is { Success: true } match
            ? new(match.Groups["level"].Value, match.Groups["category"].Value, match.Groups["message"].Value)
            : null;

    /// <summary>The lines that <c>grep -iE</c> finds.</summary>
    public static IReadOnlyList<string> Grep(OutputLines output, string pattern) =>
        [.. output.ToList().Where(line => Regex.IsMatch(line, pattern, RegexOptions.IgnoreCase))];

    /// <summary>Fails with the lines themselves, because a rare failure may not be reproducible.</summary>
    public static void AssertNoErrors(IEnumerable<string> lines)
    {
        var errors = lines.Where(line => Parse(line) is null or { Level: "ERROR" or "CRITICAL" }).ToList();
        Assert.True(errors.Count == 0, string.Join('\n', errors));
    }

    [GeneratedRegex(
        @"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) (?<category>[\w.+`]+) (?<message>.*)$"
    )]
    private static partial Regex Format();
}
