namespace AutoTicket.Incidents;

/// <summary>What the chart of a surface marks. The names in lower case are those of the chart's style.</summary>
public enum SurfaceEventKind
{
    Alert,
    Ticket,
    Maintenance,
}

/// <summary>Something that happened about a surface at one moment.</summary>
/// <param name="Text">In a few words: <c>P1 alert opened: Payments API is down</c>.</param>
public sealed record SurfaceEvent(DateTimeOffset At, SurfaceEventKind Kind, string Text);
