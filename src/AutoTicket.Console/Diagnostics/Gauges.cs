using System.Diagnostics.Metrics;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;
using AutoTicket.Slack;
using AutoTicket.Surfaces;

namespace AutoTicket.Diagnostics;

/// <summary>What stands, read from memory whenever somebody collects the metrics.</summary>
internal sealed class Gauges
{
    public Gauges(
        IMeterFactory meters,
        StatusBoard board,
        OpenTickets tickets,
        RecoveredTickets recovered,
        FreeScoutHealth freeScout,
        SlackHealth slack,
        FlagStore flags,
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
            "Surfaces, by what the board says of them.",
            () =>
                Enum.GetValues<SurfaceStatus>()
                    .GroupJoin(
                        board.All(),
                        status => status,
                        surface => surface.Status,
                        (status, surfaces) => new Measurement<double>(surfaces.Count(), Label("status", Words.Of(status)))
                    )
        );
        Gauge("autoticket.tickets.open", "Open auto:status tickets.", () => [new(tickets.Current.Tickets.Count)]);
        Gauge(
            "autoticket.tickets.recovered_open",
            "Open tickets on the worklist: their surface has recovered.",
            () => [new(recovered.Current.Count)]
        );
        Gauge("autoticket.freescout.up", "Whether FreeScout did its part when it was last asked.", () => [One(freeScout.Failure is null)]);
        Gauge("autoticket.freescout.circuit_open", "Whether the circuit before FreeScout is open.", () => [One(freeScout.IsCircuitOpen)]);
        Gauge("autoticket.slack.up", "Whether Slack did its part when it was last asked.", () => [One(slack.Failure is null)]);
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
            "Clocks of the leader: 0 idle, 1 running, 2 time is up.",
            () => escalations.Levels.Select(pair => new Measurement<double>(pair.Level, Label("condition", Words.Of(pair.Condition))))
        );
        Gauge("autoticket.circuits", "Open pages, each of which has a circuit.", () => [new(circuits.Open)]);
        meter.CreateObservableGauge(
            "autoticket.canary.last_success_timestamp",
            () =>
                canary.WalkedAt is { } at
                    ? [new Measurement<double>(at.ToUnixTimeMilliseconds() / 1000.0)]
                    : Array.Empty<Measurement<double>>(),
            "s",
            "When the canary last got through, in seconds since 1970."
        );

        void Gauge(string name, string description, Func<IEnumerable<Measurement<double>>> read) =>
            meter.CreateObservableGauge(name, read, unit: null, description);
    }

    private static Measurement<double> One(bool holds, params KeyValuePair<string, object?>[] labels) => new(holds ? 1 : 0, labels);

    private static KeyValuePair<string, object?> Label(string name, string value) => new(name, value);
}
