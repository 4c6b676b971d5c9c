using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using AutoTicket.Audit;
using AutoTicket.FreeScout;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Structure;

/// <summary>Checks that docs/security.md is true and complete.</summary>
public sealed partial class SecurityTests
{
    private static readonly string Root = ContentRoot.Find();
    private static readonly string Page = File.ReadAllText(Path.Combine(Root, "docs", "security.md"));

    [Fact]
    public void Every_test_that_the_page_names_exists()
    {
        var tests = typeof(SecurityTests)
            .Assembly.GetTypes()
            .SelectMany(type =>
                type.GetMethods()
                    .Where(method => method.GetCustomAttributes(typeof(FactAttribute), inherit: true).Length > 0)
                    .Select(method => $"{type.Name}.{method.Name}")
            )
            .ToHashSet();
        var rows = Page[Page.IndexOf("## OWASP", StringComparison.Ordinal)..Page.IndexOf("## Dependencies", StringComparison.Ordinal)]
            .Split('\n')
            .Where(line => line.StartsWith("| ", StringComparison.Ordinal))
            .Skip(1)
            .ToList();

        Assert.InRange(rows.Count, 40, 200);
        Assert.All(rows, row => Assert.Contains(NamedTest().Match(row).Groups[1].Value, tests));
    }

    [Fact]
    public void The_page_lists_exactly_the_direct_dependencies()
    {
        var used = Directory
            .EnumerateFiles(Root, "*.csproj", SearchOption.AllDirectories)
            .Append(Path.Combine(Root, "Directory.Build.props"))
            .SelectMany(file => PackageReference().Matches(File.ReadAllText(file)).Select(match => match.Groups[1].Value))
            .Concat(JsonNames(".config/dotnet-tools.json", "tools"))
            .Concat(JsonNames("tests/oidc-provider/package.json", "dependencies"))
            .Concat(JsonNames("tests/oidc-provider/package.json", "optionalDependencies"))
            .Concat(JsonNames("tests/schemas/package.json", "dependencies"))
            .Distinct()
            .Order(StringComparer.Ordinal);
        var listed = Page[Page.IndexOf("## Dependencies", StringComparison.Ordinal)..]
            .Split('\n')
            .Where(line => line.StartsWith("| ", StringComparison.Ordinal))
            .Skip(1)
            .Select(line => line.Split('|', StringSplitOptions.TrimEntries))
            .ToList();

        Assert.Equal(used, listed.Select(row => row[1]).Order(StringComparer.Ordinal));
        Assert.All(listed, row => Assert.True(row[2].Length > 0 && row[3].Length > 0, row[1]));
    }

    [Theory]
    [InlineData("https://desk.example.org"), InlineData("https://desk.example.org/help/")]
    public void A_ticket_link_always_leads_to_FreeScouts_own_host(string baseUrl)
    {
        var url = new Uri(new FreeScoutOptions { BaseUrl = baseUrl }.TicketUrl(42));
        Assert.Equal(("https", "desk.example.org"), (url.Scheme, url.Host));
        Assert.EndsWith("/conversation/42", url.AbsolutePath, StringComparison.Ordinal);
        // The console builds ticket links itself and reads no URL from FreeScout's answers.
        Assert.DoesNotContain(
            typeof(Conversation).GetProperties(),
            property =>
                property.Name.Contains("Url", StringComparison.OrdinalIgnoreCase)
                || property.Name.Contains("Link", StringComparison.OrdinalIgnoreCase)
        );
    }

    [Theory, BothDatabases]
    public async Task Input_that_looks_like_SQL_is_only_text(Database kind)
    {
        const string evil = "'; DELETE FROM audit_log; --";
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var console = await ConsoleHost.StartAsync(database);
        await using var db = database.Open();
        db.AuditLog.Add(
            new AuditEntry
            {
                CreatedAt = TimeProvider.System.GetUtcNow(),
                Action = "a.test",
                Actor = evil,
                Payload = "{}",
            }
        );
        await db.SaveChangesAsync();
        var text = Uri.EscapeDataString(evil);

        Assert.Contains(
            evil,
            await console.Http.GetStringAsync(new Uri($"/api/audit.csv?actor={text}", UriKind.Relative)),
            StringComparison.Ordinal
        );
        Assert.Equal(
            HttpStatusCode.NotFound,
            (await console.Http.PostAsync(new Uri($"/api/surfaces/{text}/investigate", UriKind.Relative), null)).StatusCode
        );
        Assert.Equal(
            HttpStatusCode.NotFound,
            (await console.Http.PutAsJsonAsync($"/api/flags/{text}", new { enabled = true, reason = evil })).StatusCode
        );
        Assert.Equal(HttpStatusCode.OK, (await console.Http.GetAsync(new Uri($"/console/alerts?q={text}", UriKind.Relative))).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await console.Http.GetAsync(new Uri($"/api/tickets?tag={text}", UriKind.Relative))).StatusCode);
        Assert.Equal(1, await db.AuditLog.CountAsync(entry => entry.Action == "a.test"));
    }

    private static IEnumerable<string> JsonNames(string file, string member)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(Root, file)));
        return [.. json.RootElement.GetProperty(member).EnumerateObject().Select(property => property.Name)];
    }

    [GeneratedRegex(@"\| `(\w+\.\w+)` \|$")]
    private static partial Regex NamedTest();

    [GeneratedRegex("<PackageReference Include=\"([^\"]+)\"")]
    private static partial Regex PackageReference();
}
