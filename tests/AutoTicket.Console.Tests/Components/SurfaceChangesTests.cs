using AutoTicket.Components.Layout;
using AutoTicket.Surfaces;

namespace AutoTicket.Tests.Components;

public sealed class SurfaceChangesTests : ComponentTest
{
    [Theory]
    [InlineData(SurfaceStatus.Operational, SurfaceStatus.Down, "Mail is down.")]
    [InlineData(SurfaceStatus.Degraded, SurfaceStatus.Down, "Mail is down.")]
    [InlineData(SurfaceStatus.Unknown, SurfaceStatus.Down, "Mail is down.")]
    [InlineData(SurfaceStatus.Operational, SurfaceStatus.Degraded, "Mail is degraded.")]
    [InlineData(SurfaceStatus.Down, SurfaceStatus.Operational, "Mail has recovered.")]
    [InlineData(SurfaceStatus.Stale, SurfaceStatus.Operational, "Mail has recovered.")]
    [InlineData(SurfaceStatus.Unknown, SurfaceStatus.Operational, null)]
    [InlineData(SurfaceStatus.Maintenance, SurfaceStatus.Operational, null)]
    [InlineData(SurfaceStatus.Operational, SurfaceStatus.Maintenance, null)]
    [InlineData(SurfaceStatus.Down, SurfaceStatus.Down, null)]
    public void A_surface_is_named_when_it_goes_down_or_recovers(SurfaceStatus before, SurfaceStatus now, string? expected) =>
        Assert.Equal(expected, SurfaceChanges.Sentence(Before(before, "Mail"), [Snapshot("Mail", now)]));

    [Fact]
    public void Several_changes_are_one_text_with_the_worst_first_and_a_bounded_number_of_names()
    {
        string[] names = ["A", "B", "C", "D", "E", "F", "G"];
        SurfaceSnapshot[] changed =
        [
            .. names.Select(name => Snapshot(name, SurfaceStatus.Degraded)),
            Snapshot("X", SurfaceStatus.Down),
            Snapshot("Y", SurfaceStatus.Down),
        ];

        Assert.Equal(
            "X and Y are down. A, B, C, D, E and 2 more are degraded.",
            SurfaceChanges.Sentence(Before(SurfaceStatus.Operational, [.. names, "X", "Y"]), changed)
        );
        Assert.Equal(
            "A, B and C have recovered.",
            SurfaceChanges.Sentence(
                Before(SurfaceStatus.Down, "A", "B", "C"),
                names.Take(3).Select(name => Snapshot(name, SurfaceStatus.Operational))
            )
        );
    }

    private static Dictionary<string, SurfaceStatus> Before(SurfaceStatus status, params string[] names) =>
        names.ToDictionary(name => name.ToLowerInvariant(), _ => status);
}
