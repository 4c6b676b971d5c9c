using System.Globalization;
using AutoTicket.Surfaces;

namespace AutoTicket.Components.Board;

/// <summary>The state of the whole, to be grasped in five seconds.</summary>
/// <param name="NeedHuman">Surfaces that need somebody.</param>
/// <param name="WithoutTicket">Those of them without an open or unconfirmed ticket.</param>
/// <param name="Unchecked">Surfaces whose first check is still to come.</param>
public sealed record BoardSummary(int Total, int NeedHuman, int WithoutTicket, int Unchecked, int InMaintenance)
{
    public static BoardSummary Of(IReadOnlyCollection<SurfaceSnapshot> surfaces, IReadOnlyDictionary<string, TileTicket> tickets)
    {
        var needing = surfaces.Where(NeedsHuman).ToList();
        return new(
            surfaces.Count,
            needing.Count,
            needing.Count(surface => tickets.GetValueOrDefault(surface.Key) is not ({ Link: not null } or { IsUnconfirmed: true })),
            surfaces.Count(IsUnchecked),
            surfaces.Count(surface => surface.Status is SurfaceStatus.Maintenance)
        );
    }

    /// <summary>A surface that was never checked is nobody's concern yet: the first seconds after a start are no alarm.</summary>
    public static bool NeedsHuman(SurfaceSnapshot surface) => surface.NeedsAttention && !IsUnchecked(surface);

    /// <summary><c>2 of 38 need you: 1 without a ticket</c>; <c>All 38 surfaces operational</c>.</summary>
    public string Sentence => string.Create(CultureInfo.InvariantCulture, $"{Lead}{Rest}");

    /// <summary>For the browser's tab: <c>(2) Status</c>.</summary>
    public string Title => NeedHuman is 0 ? "Status" : string.Create(CultureInfo.InvariantCulture, $"({NeedHuman}) Status");

    private int Operational => Total - NeedHuman - Unchecked - InMaintenance;

    private string Lead =>
        this switch
        {
            { Total: 0 } => "No surfaces are configured",
            { NeedHuman: > 0 } => $"{NeedHuman} of {Total} {(NeedHuman is 1 ? "needs" : "need")} you: {Tickets}",
            _ when Unchecked == Total => $"First check of {Total} {(Total is 1 ? "surface" : "surfaces")}…",
            _ when Operational == Total => Total is 1 ? "The one surface is operational" : $"All {Total} surfaces operational",
            _ => $"{Operational} of {Total} surfaces operational",
        };

    private string Tickets =>
        WithoutTicket is 0 ? (NeedHuman is 1 ? "it has a ticket" : "all have a ticket") : $"{WithoutTicket} without a ticket";

    private string Rest =>
        (InMaintenance > 0 ? $", {InMaintenance} in maintenance" : "")
        + (Unchecked > 0 && Unchecked < Total ? $", {Unchecked} not checked yet" : "");

    private static bool IsUnchecked(SurfaceSnapshot surface) => surface is { Status: SurfaceStatus.Unknown, CheckedAt: null };
}
