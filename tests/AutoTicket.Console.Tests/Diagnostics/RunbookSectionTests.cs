using System.Reflection;
using System.Text.RegularExpressions;
using AutoTicket.Diagnostics;

namespace AutoTicket.Tests.Diagnostics;

public sealed partial class RunbookSectionTests
{
    [Fact]
    public void The_runbooks_contain_every_section_that_diagnostics_and_rules_link()
    {
        var named = typeof(Runbooks)
            .GetFields(BindingFlags.Static | BindingFlags.Public)
            .Select(field => (string)field.GetRawConstantValue()!)
            .Concat(
                Page()
                    .Matches(File.ReadAllText(Path.Combine(ContentRoot.Find(), "docs", "ops", "alert-rules.yml")))
                    .Select(match => match.Value)
            )
            .Distinct()
            .ToList();

        Assert.InRange(named.Count, 12, 100);
        Assert.DoesNotContain(named, page => !Exists(page));
    }

    private static bool Exists(string page)
    {
        var (file, anchor) = (Path.Combine(ContentRoot.Find(), page.Split('#')[0]), page.Split('#').ElementAtOrDefault(1));
        return File.Exists(file) && (anchor is null || File.ReadLines(file).Any(line => line.StartsWith('#') && Anchor(line) == anchor));
    }

    /// <summary>The heading's anchor, by GitHub's rules.</summary>
    private static string Anchor(string heading) =>
        NoLetter().Replace(heading.TrimStart('#').Trim().ToLowerInvariant(), "").Replace(' ', '-');

    [GeneratedRegex(@"docs/ops/[\w/.#-]+\w")]
    private static partial Regex Page();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NoLetter();
}
