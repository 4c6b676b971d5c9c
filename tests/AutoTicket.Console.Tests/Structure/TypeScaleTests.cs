using System.Text.RegularExpressions;

namespace AutoTicket.Tests.Structure;

/// <summary>Text has five sizes: 12, 14, 16, 20 and 28 px. Only the wall view, which is read from three meters, is larger.</summary>
public sealed partial class TypeScaleTests
{
    private static readonly string[] Sizes = ["0.75rem", "0.875rem", "1rem", "1.25rem", "1.75rem"];

    [Fact]
    public void Each_font_size_is_one_of_the_five()
    {
        var root = ContentRoot.Find();
        var styles = Directory
            .EnumerateFiles(Path.Combine(root, "src", "AutoTicket.Console", "Components"), "*.css", SearchOption.AllDirectories)
            .Append(Path.Combine(root, "wwwroot", "app.css"))
            .ToList();
        var others = styles.SelectMany(file =>
            from rule in Rule().Matches(File.ReadAllText(file))
            where !rule.Groups["selector"].Value.Contains("""[data-view="wall"]""", StringComparison.Ordinal)
            from size in Size().Matches(rule.Value)
            where !Sizes.Contains(size.Groups["size"].Value) && size.Groups["size"].Value is not "clamp(1.25rem, 1rem + 1.5vw, 1.75rem)"
            select $"{Path.GetFileName(file)}: {size.Groups["size"].Value}"
        );

        Assert.True(styles.Count > 20);
        Assert.Empty(others);
    }

    [GeneratedRegex("(?<selector>[^{}]+)\\{[^{}]*\\}", RegexOptions.ExplicitCapture)]
    private static partial Regex Rule();

    [GeneratedRegex("font-size:\\s*(?<size>[^;]+);", RegexOptions.ExplicitCapture)]
    private static partial Regex Size();
}
