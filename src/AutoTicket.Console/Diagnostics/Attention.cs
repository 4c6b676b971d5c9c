using System.Globalization;
using AutoTicket.Alerts;

namespace AutoTicket.Diagnostics;

/// <summary>What needs an operator now. Every page shows it.</summary>
/// <param name="Problems">What is not normal about the console itself, the worst first; empty when all is well.</param>
/// <param name="Surfaces">Surfaces that need attention.</param>
/// <param name="Alerts">Active P1 and P2 alerts.</param>
public sealed record Attention(IReadOnlyList<ConsoleProblem> Problems, int Surfaces, UrgentAlerts Alerts)
{
    public static readonly Attention None = new([], 0, new UrgentAlerts(0, 0));

    /// <summary>Surfaces and alerts. An outage of a surface counts once, though it is an alert as well.</summary>
    public int Count => Surfaces + Alerts.NotOnSurfaces;

    /// <summary>The title of the browser tab: <c>(2) Tickets</c>.</summary>
    public string Title(string page) => Count is 0 ? page : string.Create(CultureInfo.InvariantCulture, $"({Count}) {page}");

    public bool Equals(Attention? other) =>
        other is not null && (Surfaces, Alerts) == (other.Surfaces, other.Alerts) && Problems.SequenceEqual(other.Problems);

    public override int GetHashCode() => HashCode.Combine(Surfaces, Alerts, Problems.Count);
}

/// <summary>One thing that is not normal.</summary>
/// <param name="Text">One or two sentences, without a time, so that a screen reader does not repeat it.</param>
/// <param name="Since">When it began; null: not known.</param>
/// <param name="Until">When it ends by itself; null: not known.</param>
public sealed record ConsoleProblem(ProblemKind Kind, string Text, DateTimeOffset? Since = null, DateTimeOffset? Until = null);

/// <summary>The kinds of problems, the worst first.</summary>
public enum ProblemKind
{
    DatabaseUnreachable,
    AlertsReachNobody,
    OwnNetworkLost,
    FreeScoutFails,
    SlackFails,
    FilingOff,
    FilingPaused,
    InvestigateOff,
    InMaintenance,
    Snoozed,
}
