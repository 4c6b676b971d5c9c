using System.Text.Json;
using AutoTicket.Sandbox;
using Microsoft.Extensions.Time.Testing;

namespace AutoTicket.Tests.Surfaces;

/// <summary><c>GET /api/status</c> is a contract: its names, words and formats must not change.</summary>
public sealed class StatusApiTests
{
    [Fact]
    public async Task The_status_API_shows_the_board_in_the_words_of_the_contract()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        sandbox.Surface("b").Answer(503);
        var settings = Watching.Settings(
            [sandbox.Surface("a").Url, sandbox.Surface("b").Url, sandbox.Surface("c").Url, sandbox.Surface("d").Url],
            downAfter: 1
        );
        settings["Surfaces:0:Name"] = "Shop <1>";
        settings["Surfaces:0:Group"] = "Storefront";
        settings["Surfaces:0:Severity"] = "p1";
        settings["Surfaces:2:MaintenanceUntil"] = "2026-12-24T22:00:00Z";
        sandbox.Surface("d").Hang();
        await using var console = await ConsoleHost.StartAsync(
            sandbox: sandbox,
            settings: settings,
            clock: new FakeTimeProvider(Readings.Start)
        );
        await Eventually.TrueAsync(
            () => console.Board().All().Take(3).All(surface => surface.History.Count == 1),
            "the three surfaces that answer are polled"
        );

        using var answer = JsonDocument.Parse(await console.Http.GetStringAsync("/api/status"));

        Assert.Equal(["surfaces", "checked_at", "own_network_lost_since"], Names(answer.RootElement));
        var surfaces = answer.RootElement.GetProperty("surfaces").EnumerateArray().ToList();
        Assert.All(
            surfaces,
            surface =>
                Assert.Equal(
                    [
                        "key",
                        "name",
                        "group",
                        "status",
                        "since",
                        "checked_at",
                        "latency_ms",
                        "cause",
                        "severity",
                        "flapping",
                        "certificate_until",
                        "ticket",
                        "maintenance",
                    ],
                    Names(surface)
                )
        );
        Assert.Equal(
            ["operational", "down", "maintenance", "unknown"],
            surfaces.Select(surface => surface.GetProperty("status").GetString())
        );
        Assert.Equal(
            ("s0", "Shop <1>", "Storefront", "p1"),
            (Text(surfaces[0], "key"), Text(surfaces[0], "name"), Text(surfaces[0], "group"), Text(surfaces[0], "severity"))
        );
        Assert.Equal(Readings.Start, surfaces[0].GetProperty("since").GetDateTimeOffset());
        Assert.Matches(@"^2026-11-20T12:00:00(\.0+)?(Z|\+00:00)$", Text(surfaces[0], "checked_at"));
        Assert.Equal(JsonValueKind.Number, surfaces[0].GetProperty("latency_ms").ValueKind);
        Assert.Equal(JsonValueKind.Null, surfaces[0].GetProperty("cause").ValueKind);
        Assert.Equal(
            ("configuration", "2026-12-24T22:00:00+00:00"),
            (Text(surfaces[2].GetProperty("maintenance"), "actor"), Text(surfaces[2].GetProperty("maintenance"), "until"))
        );
        Assert.Equal("HTTP 503 Service Unavailable", Text(surfaces[1], "cause"));
        Assert.Equal(
            (false, JsonValueKind.Null),
            (surfaces[1].GetProperty("flapping").GetBoolean(), surfaces[1].GetProperty("ticket").ValueKind)
        );
        Assert.All(
            new[] { "since", "checked_at", "latency_ms", "cause" },
            name => Assert.Equal(JsonValueKind.Null, surfaces[3].GetProperty(name).ValueKind)
        );
    }

    private static IEnumerable<string> Names(JsonElement element) => element.EnumerateObject().Select(property => property.Name);

    private static string? Text(JsonElement element, string name) => element.GetProperty(name).GetString();
}
