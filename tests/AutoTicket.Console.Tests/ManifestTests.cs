using System.Buffers.Binary;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using AutoTicket.Tests.Kit;

namespace AutoTicket.Tests;

/// <summary>The files that a browser needs to install the console as an app.</summary>
public sealed partial class ManifestTests
{
    [Fact]
    public async Task The_manifest_and_the_page_name_icons_that_exist_with_their_type_and_size()
    {
        await using var console = await ConsoleHost.StartAsync();
        var page = await console.Http.GetStringAsync(new Uri("/console/status", UriKind.Relative));
        var (manifestType, manifest) = await GetAsync(Manifest().Match(page).Groups[1].Value);
        Assert.Equal("application/manifest+json", manifestType);

        var icons = JsonDocument.Parse(manifest).RootElement.GetProperty("icons").EnumerateArray().ToList();
        foreach (var icon in icons)
        {
            var (type, bytes) = await GetAsync(icon.GetProperty("src").GetString()!);
            Assert.Equal(icon.GetProperty("type").GetString(), type);
            Assert.True(type != "image/png" || $"{Width(bytes)}x{Height(bytes)}" == icon.GetProperty("sizes").GetString(), $"{icon}");
        }

        Assert.Equal(
            [("any", "any"), ("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")],
            icons.Select(icon => (icon.GetProperty("sizes").GetString(), icon.GetProperty("purpose").GetString()))
        );
        var (appleType, apple) = await GetAsync(AppleIcon().Match(page).Groups[1].Value);
        Assert.Equal(("image/png", 180, 180), (appleType, Width(apple), Height(apple)));

        async Task<(string? Type, byte[] Body)> GetAsync(string name)
        {
            using var answer = await console.Http.GetAsync(new Uri(console.Address, WebUtility.HtmlDecode(name)));
            Assert.True(answer.IsSuccessStatusCode, $"{name}: {(int)answer.StatusCode}");
            return (answer.Content.Headers.ContentType?.MediaType, await answer.Content.ReadAsByteArrayAsync());
        }
    }

    // A PNG begins with its signature and the chunk IHDR.
    private static int Width(byte[] png) => BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16));

    private static int Height(byte[] png) => BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(20));

    [GeneratedRegex("""rel="manifest" href="([^"]+)""")]
    private static partial Regex Manifest();

    [GeneratedRegex("""rel="apple-touch-icon" sizes="180x180" href="([^"]+)""")]
    private static partial Regex AppleIcon();
}
