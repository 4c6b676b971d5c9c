using System.Globalization;
using AutoTicket.Alerts;
using AutoTicket.Surfaces;

namespace AutoTicket.Components.Board;

/// <summary>The state of all surfaces in one sentence.</summary>
/// <param name="NeedAttention">Number of surfaces that need attention.</param>
/// <param name="WithoutTicket">Number of those without an open ticket.</param>
/// <param name="Unchecked">Number of surfaces whose first check has not finished.</param>
/// <param name="OtherAlerts">Number of active P1 and P2 alerts that are not outages of surfaces.</param>
public sealed record BoardSummary(int Total, int NeedAttention, int WithoutTicket, int Unchecked, int InMaintenance, int OtherAlerts)
{
    public static BoardSummary Of(
        IReadOnlyCollection<SurfaceSnapshot> surfaces,
        IReadOnlyDictionary<string, TileTicket> tickets,
        UrgentAlerts? alerts = null
    )
    {
        var needing = surfaces.Where(NeedsAttention).ToList();
        return new(
            surfaces.Count,
            needing.Count,
            needing.Count(surface => tickets.GetValueOrDefault(surface.Key) is not { Link: not null }),
            surfaces.Count(surface => surface.IsUnchecked),
            surfaces.Count(surface => surface.Status is SurfaceStatus.Maintenance),
            alerts?.NotOnSurfaces ?? 0
        );
    }

    /// <summary>How many surfaces are in which state, worst first: <c>1 in maintenance, 25 operational</c>.</summary>
    public static string Count(IReadOnlyCollection<SurfaceSnapshot> surfaces) =>
        string.Join(
            ", ",
            StatusWords
                .WorstFirst.Select(status =>
                    (
                        Word: status is SurfaceStatus.Maintenance ? "in maintenance" : status.Word(),
                        Count: surfaces.Count(surface => surface.Status == status)
                    )
                )
                .Where(state => state.Count > 0)
                .Select(state => string.Create(CultureInfo.InvariantCulture, $"{state.Count} {state.Word}"))
        );

    /// <summary>False for a surface that was never checked, so that a start raises no alarm.</summary>
    public static bool NeedsAttention(SurfaceSnapshot surface) => surface is { NeedsAttention: true, IsUnchecked: false };

    /// <summary><c>2 of 38 need you: 1 without a ticket</c>; <c>All 38 surfaces operational</c>. Alerts come first while no surface needs
    /// anybody: the heading must not begin with good news.</summary>
    public string Sentence =>
        this switch
        {
            { OtherAlerts: 0 } => $"{Lead}{Rest}",
            { NeedAttention: 0 } => $"{Alerts}. {Lead}{Rest}",
            _ => $"{Lead}{Rest}. {Alerts}",
        };

    private string Alerts =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{OtherAlerts} {(NeedAttention > 0 ? "other " : "")}P1/P2 {(OtherAlerts is 1 ? "alert is" : "alerts are")} active"
        );

    private int Operational => Total - NeedAttention - Unchecked - InMaintenance;

    private string Lead =>
        this switch
        {
            { Total: 0 } => "No surfaces are configured",
            { NeedAttention: > 0 } => $"{NeedAttention} of {Total} {(NeedAttention is 1 ? "needs" : "need")} you: {Tickets}",
            _ when Unchecked == Total => $"First check of {Total} {(Total is 1 ? "surface" : "surfaces")}…",
            _ when Operational == Total => Total is 1 ? "The one surface is operational" : $"All {Total} surfaces operational",
            _ => $"{Operational} of {Total} surfaces operational",
        };

    private string Tickets =>
        WithoutTicket is 0 ? (NeedAttention is 1 ? "it has a ticket" : "all have a ticket") : $"{WithoutTicket} without a ticket";

    private string Rest =>
        (InMaintenance > 0 ? $", {InMaintenance} in maintenance" : "")
        + (Unchecked > 0 && Unchecked < Total ? $", {Unchecked} not checked yet" : "");
}
