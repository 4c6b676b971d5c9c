namespace AutoTicket.Tests.Structure;

/// <summary>Checks the line length, because CSharpier wraps neither strings nor comments.</summary>
public sealed class LineLengthTests
{
    private const int Longest = 140;

    private static readonly string[] Generated = ["obj", "bin", "node_modules", "Postgres", "Sqlite"];

    [Fact]
    public void No_line_of_the_source_is_longer_than_140_characters()
    {
        var root = ContentRoot.Find();
        var tooLong =
            from folder in new[] { "src", "tests" }
            from file in Directory.EnumerateFiles(Path.Combine(root, folder), "*", SearchOption.AllDirectories)
            where Path.GetExtension(file) is ".cs" or ".razor"
            let path = Path.GetRelativePath(root, file)
            where !path.Split(Path.DirectorySeparatorChar).Any(Generated.Contains)
            from line in File.ReadLines(file).Index()
            where line.Item.Length > Longest
            select $"{path}:{line.Index + 1} has {line.Item.Length} characters";

        Assert.Empty(tooLong);
    }
}
