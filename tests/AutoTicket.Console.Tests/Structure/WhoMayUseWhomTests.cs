using System.Text.RegularExpressions;

namespace AutoTicket.Tests.Structure;

/// <summary>Which folder of the console may use which, as CONVENTIONS.md says.</summary>
public sealed partial class WhoMayUseWhomTests
{
    /// <summary>Every folder may use Hosting and Data. AutoTicketing.cs and Program.cs may use all.</summary>
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Hosting"] = ["Sandbox"],
        ["Data"] = [],
        ["Surfaces"] = [],
        ["FreeScout"] = [],
        ["Audit"] = [],
        ["Security"] = ["Audit"],
        ["Flags"] = ["Audit", "Security"],
        ["Alerts"] = ["Surfaces", "Audit", "Security"],
        ["Intake"] = ["Alerts", "Surfaces", "Audit", "Security"],
        ["Tickets"] = ["Alerts", "Surfaces", "FreeScout", "Flags", "Audit", "Security"],
        ["Mailbox"] = ["Tickets", "Alerts", "Surfaces", "FreeScout", "Flags", "Audit", "Security"],
        ["Slack"] = ["Alerts", "Tickets", "Mailbox"],
        ["Diagnostics"] = ["Surfaces", "Intake", "Alerts", "Tickets", "Mailbox", "FreeScout", "Slack", "Flags", "Audit", "Security"],
        ["Components"] =
        [
            "Surfaces",
            "Intake",
            "Alerts",
            "Tickets",
            "Mailbox",
            "FreeScout",
            "Slack",
            "Flags",
            "Audit",
            "Diagnostics",
            "Security",
        ],
    };

    public static TheoryData<string> Rooms => [.. Allowed.Keys];

    [Theory, MemberData(nameof(Rooms))]
    public void A_room_uses_only_those_it_may(string room)
    {
        var foreign = Directory
            .EnumerateFiles(Path.Combine(ContentRoot.Find(), "src", "AutoTicket.Console", room), "*.*", SearchOption.AllDirectories)
            .Where(file => file.EndsWith(".cs", StringComparison.Ordinal) || file.EndsWith(".razor", StringComparison.Ordinal))
            // Generated migrations name the entities of all folders.
            .Where(file => Path.GetFileName(Path.GetDirectoryName(file)) is not ("Postgres" or "Sqlite"))
            .SelectMany(file =>
                Using().Matches(File.ReadAllText(file)).Select(match => (File: Path.GetFileName(file), Room: match.Groups[1].Value))
            )
            .Where(use => use.Room != room && use.Room is not ("Hosting" or "Data") && !Allowed[room].Contains(use.Room));

        Assert.Empty(foreign);
    }

    // A using line or a qualified name.
    [GeneratedRegex(
        @"(?:^\s*@?using\s+(?:static\s+)?AutoTicket\.|(?<![\w.])AutoTicket\.)"
            + "(Hosting|Data|Surfaces|Intake|Alerts|Tickets|Mailbox|FreeScout|Slack|Flags|Audit|Diagnostics|Security|Components|Sandbox)"
            + @"\b",
        RegexOptions.Multiline
    )]
    private static partial Regex Using();
}
