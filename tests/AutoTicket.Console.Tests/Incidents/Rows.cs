using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.FreeScout;
using AutoTicket.Incidents;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Tests.Incidents;

/// <summary>Stored rows about one outage of the surface <c>pay</c>, without a database.
/// Times are seconds after <see cref="Start"/>.</summary>
internal static class Rows
{
    public const long ConsoleUser = 2;

    public static readonly DateTimeOffset Start = new(2026, 3, 1, 2, 0, 0, TimeSpan.Zero);

    public static readonly string AlertId = AlertIdentity.OfSurface("pay");

    public static DateTimeOffset At(double seconds) => Start.AddSeconds(seconds);

    public static Alert Alert(
        double opened = 30,
        double? ended = null,
        AlertStatus? status = null,
        int reopened = 0,
        double? started = null,
        string source = Observation.Console,
        string name = Observation.SurfaceOutage
    ) =>
        new()
        {
            Id = 42,
            AlertId = AlertId,
            LogicalId = AlertId,
            Status = status ?? (ended is null ? AlertStatus.Firing : AlertStatus.Resolved),
            Source = source,
            Name = name,
            Surface = "pay",
            Severity = Severity.P2,
            Summary = "Payments is down: HTTP 503",
            StartedAt = At(started ?? opened),
            OpenedAt = At(opened),
            SeenAt = At(opened),
            EndedAt = ended is { } end ? At(end) : null,
            Reopened = reopened,
        };

    public static IncidentRows Of(Alert alert) =>
        new(
            alert,
            new IncidentSummary(
                alert.Id,
                alert.IncidentKey.ToString(),
                alert.AlertKey,
                "Payments is down",
                alert.Summary,
                alert.Name,
                alert.Source,
                alert.Surface,
                "Payments",
                null,
                alert.Severity,
                alert.Status,
                alert.OpenedAt,
                alert.EndedAt,
                alert.Reopened,
                null
            ),
            id => $"https://desk.example.org/conversation/{id}"
        );

    public static SurfaceReading Reading(double at, ReadingOutcome outcome, SurfaceStatus status, double since) =>
        new()
        {
            SurfaceKey = "pay",
            CheckedAt = At(at),
            Outcome = outcome,
            Cause = outcome == ReadingOutcome.Ok ? null : "HTTP 503",
            Status = status,
            Since = At(since),
        };

    /// <summary>The first bad reading at 0, the second one, which confirms, at 30.</summary>
    public static IReadOnlyList<SurfaceReading> DownAfterTwo =>
        [
            Reading(30, ReadingOutcome.Failed, SurfaceStatus.Down, since: 30),
            Reading(0, ReadingOutcome.Failed, SurfaceStatus.Operational, since: -600),
            Reading(-30, ReadingOutcome.Ok, SurfaceStatus.Operational, since: -600),
        ];

    public static Decision Decision(
        string path,
        DecisionWord word,
        double at,
        double? last = null,
        int count = 1,
        string? detail = null,
        string? actor = null,
        long? conversation = null
    ) =>
        new()
        {
            AlertId = AlertId,
            AlertRow = path == DecisionSources.Click ? null : 42,
            Path = path,
            Word = word,
            Detail = detail,
            Actor = actor,
            Count = count,
            FirstAt = At(at),
            LastAt = At(last ?? at),
            TicketNumber = conversation,
            TicketUrl = conversation is { } id ? $"https://desk.example.org/conversation/{id}" : null,
        };

    public static Ticket Ticket(
        double posted = 31,
        double? confirmed = 32,
        double? closed = null,
        string? resolvedBy = null,
        string filedBy = "alert:console",
        double? reopened = null,
        long id = 7
    ) =>
        new()
        {
            Marker = "at-0000000000",
            DedupKey = AlertId,
            SurfaceKey = "pay",
            Severity = Severity.P2,
            State =
                closed is not null && reopened is null ? TicketState.Closed
                : confirmed is null ? TicketState.Filing
                : TicketState.Open,
            FiledBy = filedBy,
            Subject = "[P2] Payments is down",
            AuditAction = AuditActions.AlertTicketFiled,
            Tag = TicketTags.Status,
            PostedAt = At(posted),
            ConversationId = confirmed is null ? null : id,
            Number = confirmed is null ? null : 1000 + id,
            ConfirmedAt = confirmed is { } at ? At(at) : null,
            ClosedAt = closed is { } end ? At(end) : null,
            ReopenedAt = reopened is { } again ? At(again) : null,
            ResolvedBy = resolvedBy,
        };

    public static AuditEntry Audit(string action, double at, object payload, string actor = "alert:console") =>
        new()
        {
            CreatedAt = At(at),
            Action = action,
            Actor = actor,
            Payload = JsonSerializer.Serialize(payload),
        };

    public static ConversationThread Thread(
        ThreadKind kind,
        double at,
        string? by = "Ada Admin",
        long? user = 1,
        string? assignedTo = null,
        string? status = null
    ) => new((long)at, kind, At(at), user, by, assignedTo, status);

    public static TicketActivity Activity(params ConversationThread[] threads) =>
        new(new Dictionary<long, IReadOnlyList<ConversationThread>> { [7] = threads }, ConsoleUser, null);

    /// <summary>The timeline as lines: <c>32 TicketFiled: Ticket #1007 filed</c>.</summary>
    public static IReadOnlyList<string> Lines(IncidentRows rows, TicketActivity? activity = null) =>
        [
            .. Incident
                .Of(rows, activity)
                .Timeline.Select(entry =>
                    FormattableString.Invariant($"{(entry.At - Start).TotalSeconds} {entry.Kind}: {entry.Text}")
                    + (entry.By is { } who ? $" by {who}" : "")
                    + (entry.Count > 1 ? $" ({entry.Count}×)" : "")
                    + (entry.IsAcknowledgment ? " *" : "")
                ),
        ];

    /// <summary>The figures as words: <c>detect 30 s</c>.</summary>
    public static IReadOnlyList<string> Figures(IncidentRows rows, TicketActivity? activity = null) =>
        [.. Incident.Of(rows, activity).Figures.Select(figure => $"{figure.Key} {figure.Text}")];
}
