using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>A producer that sends a new id for the same alert each time.</summary>
/// <param name="Samples">Some of its ids.</param>
public sealed record UnstableProducer(
    string Source,
    string Name,
    string AlertKey,
    int Ids,
    IReadOnlyList<string> Samples,
    DateTimeOffset LastSeen
);

/// <summary>The active alerts that have no ticket.</summary>
/// <param name="Worst">The worst and oldest of them, in that order.</param>
/// <param name="Count">How many there are in all.</param>
public sealed record WaitingAlerts(IReadOnlyList<AlertView> Worst, int Count);

/// <summary>The active P1 and P2 alerts.</summary>
/// <param name="Count">How many there are in all.</param>
/// <param name="NotOnSurfaces">How many of them are not outages of surfaces, which the board shows anyway.</param>
public sealed record UrgentAlerts(int Count, int NotOnSurfaces);

/// <summary>Active alerts of one name.</summary>
/// <param name="Worst">The worst severity among them.</param>
/// <param name="Since">When the oldest of them began.</param>
public sealed record AlertGroup(string Name, int Count, int Sources, Severity Worst, DateTimeOffset Since);
