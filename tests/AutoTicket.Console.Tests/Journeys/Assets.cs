using System.Net;
using System.Text.RegularExpressions;

namespace AutoTicket.Tests.Journeys;

/// <summary>Checks that each file of a page has content: a console that serves empty files answers 200 and shows a blank page.</summary>
internal static partial class Assets
{
    public static async Task HaveBytesAsync(HttpClient http, string path)
    {
        var html = await http.GetStringAsync(new Uri(path, UriKind.Relative));
        var named = Named().Matches(html).Select(match => WebUtility.HtmlDecode(match.Groups[1].Value)).ToHashSet();
        Assert.Contains(named, name => name.Contains("blazor.web", StringComparison.Ordinal));
        Assert.Contains(named, name => name.Contains("MudBlazor.min.css", StringComparison.Ordinal));
        foreach (var name in named.ToList())
        {
            var (address, body) = await GetAsync(http, new Uri(http.BaseAddress!, name));
            if (address.AbsolutePath.EndsWith(".css", StringComparison.Ordinal))
            {
                foreach (Match url in Url().Matches(body))
                {
                    await GetAsync(http, new Uri(address, url.Groups[1].Value));
                    named.Add(url.Groups[1].Value);
                }
            }
        }

        Assert.Contains(named, name => name.Contains("woff2", StringComparison.Ordinal));
    }

    private static async Task<(Uri Address, string Body)> GetAsync(HttpClient http, Uri address)
    {
        using var answer = await http.GetAsync(address);
        var body = await answer.Content.ReadAsStringAsync();
        Assert.True(
            answer.StatusCode == HttpStatusCode.OK && body.Length > 0,
            $"{address}: {(int)answer.StatusCode}, {body.Length} characters"
        );
        return (address, body);
    }

    [GeneratedRegex("""<(?:link|script|img)[^>]*?\s(?:href|src)="([^"]+)""")]
    private static partial Regex Named();

    [GeneratedRegex("""url\("?(?!data:)([^")]+)"?\)""")]
    private static partial Regex Url();
}
