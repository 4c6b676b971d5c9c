using System.Text.RegularExpressions;

namespace AutoTicket.Tests.Structure;

/// <summary>Only <c>TicketStore</c> writes the table <c>tickets</c>.</summary>
public sealed partial class WhoWritesTicketsTests
{
    [Fact]
    public void Only_the_ticket_book_writes_tickets()
    {
        var source = Path.Combine(ContentRoot.Find(), "src", "AutoTicket.Console");
        var writers = Directory
            .EnumerateFiles(source, "*.cs", SearchOption.AllDirectories)
            .Where(file =>
                !Path.GetRelativePath(source, file).StartsWith("obj", StringComparison.Ordinal)
                && Path.GetFileName(Path.GetDirectoryName(file)) is not ("Postgres" or "Sqlite")
                && Write().IsMatch(File.ReadAllText(file))
            )
            .Select(Path.GetFileName)
            .Order(StringComparer.Ordinal);

        Assert.Equal(["TicketStore.cs"], writers);
    }

    // SQL, or an EF statement that begins with the set and ends with a write.
    [GeneratedRegex(
        @"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+tickets\b"
            + @"|\.Tickets\s*\.(?:Add|Update|Remove|Attach)|\.Tickets\b[^;]*\.Execute(?:Update|Delete)Async",
        RegexOptions.IgnoreCase
    )]
    private static partial Regex Write();
}
