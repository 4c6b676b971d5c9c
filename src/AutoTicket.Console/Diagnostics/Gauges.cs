using System.Diagnostics.Metrics;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;
using AutoTicket.Slack;
using AutoTicket.Surfaces;
using Microsoft.AspNetCore.Components.Server.Circuits;

namespace AutoTicket.Diagnostics;

/// <summary>Gauges of the current state, read from memory when metrics are collected.</summary>
internal sealed class Gauges
{
    /// <summary>The instruments that measure each surface begin with this.</summary>
    public const string SurfacePrefix = "autoticket.surface.";

    public Gauges(
        IMeterFactory meters,
        StatusBoard board,
        OpenTickets tickets,
        RecoveredTickets recovered,
        FreeScoutHealth freeScout,
        SlackHealth slack,
        FlagWatch flags,
        LeaderLease leader,
        DatabaseGate gate,
        RequiredHooks hooks,
        Canary canary,
        EscalationWatch escalations,
        CircuitCount circuits
    )
    {
        var meter = meters.Create(Telemetry.Name);
        Gauge(
            "autoticket.surfaces",
            "Surfaces, by status.",
            () =>
                Enum.GetValues<SurfaceStatus>()
                    .GroupJoin(
                        board.All(),
                        status => status,
                        surface => surface.Status,
                        (status, surfaces) => new Measurement<double>(surfaces.Count(), Label("status", Words.Of(status)))
                    )
        );
        Gauge(
            "autoticket.tickets.open",
            "Open auto:status tickets.",
            () => [new(tickets.Current.Tickets.Count(ticket => ticket.Kind == TicketKind.Surface))]
        );
        Gauge("autoticket.tickets.recovered_open", "Open tickets whose surface has recovered.", () => [new(recovered.Current.Count)]);
        Gauge("autoticket.freescout.up", "Whether FreeScout works, or is not set up.", () => [One(ConsoleHealth.IsUp(freeScout))]);
        Gauge(
            "autoticket.freescout.circuit_open",
            "Whether calls of FreeScout are paused after repeated failures.",
            () => [One(freeScout.IsCircuitOpen)]
        );
        Gauge(
            "autoticket.slack.up",
            "Whether Slack works, as far as this process sends to it, or is not set up.",
            () => [One(ConsoleHealth.IsUp(slack, leader))]
        );
        Gauge("autoticket.database.up", "Whether the database answers.", () => [One(gate.Problem is null)]);
        Gauge("autoticket.leader", "Whether this process leads.", () => [One(leader.IsLeader)]);
        Gauge("autoticket.hooks.missing", "Emit hooks that this build lacks.", () => [new(hooks.Missing.Count)]);
        Gauge(
            "autoticket.flag.enabled",
            "Whether a flag is on in this process.",
            () => flags.Current.Flags.Select(flag => One(flag.Enabled, Label("flag", flag.Name)))
        );
        Gauge(
            "autoticket.escalation.state",
            "Escalation clocks, on the leader: 0 idle, 1 running, 2 time is up.",
            () => escalations.Levels.Select(pair => new Measurement<double>(pair.Level, Label("condition", Words.Of(pair.Condition))))
        );
        Gauge("autoticket.circuits", "Open pages.", () => [new(circuits.Open)]);
        meter.CreateObservableGauge(
            "autoticket.canary.last_success_timestamp",
            () =>
                canary.PassedAt is { } at
                    ? [new Measurement<double>(at.ToUnixTimeMilliseconds() / 1000.0)]
                    : Array.Empty<Measurement<double>>(),
            "s",
            "The canary's last success, in seconds since 1970."
        );

        OfSurfaces("up", "Whether a surface is up, also if it is slow; absent while that is not known.", surface => Number(surface.IsUp));
        OfSurfaces(
            "response_time",
            "Time to the complete response of the last probe; absent if it failed.",
            surface => surface.LatencyMs / 1000.0,
            "s"
        );
        OfSurfaces(
            "certificate_expiry_timestamp",
            "The end of the validity of a surface's certificate, in seconds since 1970.",
            surface => surface.CertificateUntil?.ToUnixTimeSeconds(),
            "s"
        );
        OfSurfaces("open_ticket", "Whether a surface has an open ticket.", surface => Number(tickets.Of(surface.Key).Ticket is not null));
        OfSurfaces("maintenance", "Whether a surface is in maintenance.", surface => Number(surface.Status == SurfaceStatus.Maintenance));

        void Gauge(string name, string description, Func<IEnumerable<Measurement<double>>> read) =>
            meter.CreateObservableGauge(name, read, unit: null, description);

        void OfSurfaces(string name, string description, Func<SurfaceSnapshot, double?> read, string? unit = null) =>
            meter.CreateObservableGauge(
                SurfacePrefix + name,
                () =>
                    from surface in board.All()
                    let value = read(surface)
                    where value is not null
                    select new Measurement<double>(value.Value, Label("surface", surface.Key), Label("group", surface.Surface.Group)),
                unit,
                description
            );
    }

    private static double? Number(bool? holds) =>
        holds switch
        {
            null => null,
            true => 1,
            false => 0,
        };

    private static Measurement<double> One(bool holds, params KeyValuePair<string, object?>[] labels) => new(holds ? 1 : 0, labels);

    private static KeyValuePair<string, object?> Label(string name, string value) => new(name, value);
}

/// <summary>Counts the open pages of this process.</summary>
internal sealed class CircuitCount : CircuitHandler
{
    private int _open;

    public int Open => Volatile.Read(ref _open);

    public override Task OnCircuitOpenedAsync(Circuit circuit, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _open);
        return Task.CompletedTask;
    }

    public override Task OnCircuitClosedAsync(Circuit circuit, CancellationToken cancellationToken)
    {
        Interlocked.Decrement(ref _open);
        return Task.CompletedTask;
    }
}
