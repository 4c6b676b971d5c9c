using System.Text.RegularExpressions;

namespace AutoTicket.Tests.Structure;

/// <summary>Checks which folders of the console each folder uses, by the rules of CONVENTIONS.md.</summary>
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
        ["Alerts"] = ["Surfaces", "Audit"],
        ["Maintenance"] = ["Alerts", "Surfaces", "Audit", "Security"],
        ["Intake"] = ["Alerts", "Surfaces", "Audit", "Security"],
        ["Tickets"] = ["Alerts", "Surfaces", "FreeScout", "Flags", "Audit", "Security"],
        ["Mailbox"] = ["Tickets", "Alerts", "Surfaces", "FreeScout", "Flags", "Audit", "Security"],
        ["Incidents"] = ["Alerts", "Surfaces", "Tickets", "Mailbox", "Flags", "Audit", "FreeScout"],
        ["Slack"] = ["Alerts", "Tickets", "Mailbox", "Flags", "Audit"],
        ["Diagnostics"] =
        [
            "Surfaces",
            "Intake",
            "Alerts",
            "Maintenance",
            "Tickets",
            "Mailbox",
            "FreeScout",
            "Slack",
            "Flags",
            "Audit",
            "Security",
        ],
        ["Components"] =
        [
            "Surfaces",
            "Intake",
            "Alerts",
            "Maintenance",
            "Tickets",
            "Mailbox",
            "Incidents",
            "FreeScout",
            "Slack",
            "Flags",
            "Audit",
            "Diagnostics",
            "Security",
        ],
    };

    public static TheoryData<string> Folders => [.. Allowed.Keys];

    [Theory, MemberData(nameof(Folders))]
    public void A_folder_uses_only_the_folders_that_it_may(string folder)
    {
        var foreign = Directory
            .EnumerateFiles(Path.Combine(ContentRoot.Find(), "src", "AutoTicket.Console", folder), "*.*", SearchOption.AllDirectories)
            .Where(file => file.EndsWith(".cs", StringComparison.Ordinal) || file.EndsWith(".razor", StringComparison.Ordinal))
            // Generated migrations name the entities of all folders.
            .Where(file => Path.GetFileName(Path.GetDirectoryName(file)) is not ("Postgres" or "Sqlite"))
            .SelectMany(file =>
                Using().Matches(File.ReadAllText(file)).Select(match => (File: Path.GetFileName(file), Folder: match.Groups[1].Value))
            )
            .Where(use => use.Folder != folder && use.Folder is not ("Hosting" or "Data") && !Allowed[folder].Contains(use.Folder));

        Assert.Empty(foreign);
    }

    // A using line or a qualified name.
    [GeneratedRegex(
        @"(?:^\s*@?using\s+(?:static\s+)?AutoTicket\.|(?<![\w.])AutoTicket\.)"
            + "(Hosting|Data|Surfaces|Maintenance|Intake|Alerts|Tickets|Mailbox|Incidents|FreeScout|Slack|Flags|Audit|Diagnostics|Security|"
            + "Components|Sandbox)"
            + @"\b",
        RegexOptions.Multiline
    )]
    private static partial Regex Using();
}
