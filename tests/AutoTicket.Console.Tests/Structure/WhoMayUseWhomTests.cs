using System.Text.RegularExpressions;

namespace AutoTicket.Tests.Structure;

/// <summary>The rooms of the console and the doors between them, as CONVENTIONS.md tells them.</summary>
public sealed partial class WhoMayUseWhomTests
{
    /// <summary>Data knows every entity, because it maps them; the folders not named here are the wiring's.</summary>
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Surfaces"] = ["Alerts", "Data"],
        ["Alerts"] = ["Surfaces", "Audit", "Data", "Security"],
        ["FreeScout"] = [],
        ["Slack"] = ["Alerts", "Tickets", "Data"],
        ["Audit"] = ["Data"],
        ["Flags"] = ["Audit", "Data", "Security"],
        ["Tickets"] = ["Alerts", "Surfaces", "FreeScout", "Flags", "Audit", "Data", "Security"],
        ["Diagnostics"] = ["Surfaces", "Alerts", "Tickets", "FreeScout", "Slack", "Flags", "Data", "Security"],
        ["Components"] = ["Components", "Surfaces", "Alerts", "Tickets", "Flags", "Audit", "Diagnostics", "Security"],
    };

    public static TheoryData<string> Rooms => [.. Allowed.Keys];

    [Theory, MemberData(nameof(Rooms))]
    public void A_room_uses_only_those_it_may(string room)
    {
        var foreign = Directory.EnumerateFiles(Path.Combine(ContentRoot.Find(), "src", "AutoTicket.Console", room), "*.*", SearchOption.AllDirectories)
            .Where(file => file.EndsWith(".cs", StringComparison.Ordinal) || file.EndsWith(".razor", StringComparison.Ordinal))
            .SelectMany(file => Using().Matches(File.ReadAllText(file)).Select(match => (File: Path.GetFileName(file), Room: match.Groups[1].Value)))
            .Where(use => use.Room != room && !Allowed[room].Contains(use.Room));

        Assert.Empty(foreign);
    }

    // A using line, or a name written out: either is a use.
    [GeneratedRegex(@"(?:^\s*@?using\s+(?:static\s+)?AutoTicket\.|(?<![\w.])AutoTicket\.)(Surfaces|Alerts|Tickets|FreeScout|Slack|Flags|Audit|Diagnostics|Data|Security|Components|Sandbox|Logs)\b", RegexOptions.Multiline)]
    private static partial Regex Using();
}
