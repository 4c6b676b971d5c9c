using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Processes;

/// <summary>The kinds of steps of a schedule.</summary>
internal enum Verb
{
    // Work.
    Click,
    Fire,
    FireAll,
    Worsen,
    WorsenAll,
    Resolve,
    ResolveAll,
    SurfaceDown,
    SurfaceUp,
    ResolveTicket,
    Flood,

    // Processes.
    Kill,
    Terminate,
    Freeze,

    // The database connection of one console. Locks and restarts affect all consoles.
    CutDatabase,
    StallDatabase,
    SlowDatabase,
    LockTable,
    RestartDatabase,

    // External services.
    FailFreeScout,
    FailSlack,
    RefuseKey,
    CommitLate,
    LagLists,
    DisturbWebhook,

    // Agents and operators.
    CloseTicket,
    ReopenTicket,
    DeleteTicket,
    DeleteForever,
    MoveTicket,
    EditTicket,
    UntagTicket,
    SwitchOff,
    SwitchOn,
    ResetFlood,
}

/// <param name="At">Milliseconds from the moment when the consoles are ready to the start of the step.</param>
/// <param name="Console">The console that gets the request or the fault.</param>
/// <param name="What">The surface, alert, table, flag or FreeScout calls; for a ticket its index among the tickets of its state.</param>
/// <param name="For">Duration in milliseconds.</param>
internal sealed record Step(int At, Verb Verb, int Console, string What, int For, FaultKind Fault)
{
    public override string ToString()
    {
        var fault = Verb is Verb.FailFreeScout or Verb.FailSlack or Verb.RefuseKey ? $" {Fault}" : "";
        return $"{At, 6} ms  console {Console}  {Verb}{(What.Length > 0 ? $" {What}" : "")}{fault}{(For > 0 ? $" for {For} ms" : "")}";
    }
}

/// <summary>A random schedule. The same seed gives the same steps, but never the same interleaving: the processes are real.</summary>
/// <param name="Processes">The number of consoles that can be killed and frozen. Their clocks are correct.</param>
/// <param name="HoursOff">How wrong the clock of one more console is; zero adds no console.</param>
/// <param name="FloodBudget">The budget of one source, low in schedules about floods.</param>
internal sealed record Schedule(int Seed, int Processes, int HoursOff, int FloodBudget, IReadOnlyList<Step> Steps)
{
    public static readonly IReadOnlyList<string> Surfaces = ["pay", "shop"];

    /// <summary>The prefix selects the format: <c>probe</c> the generic one, <c>node</c> Alertmanager's webhook, all others
    /// Prometheus.</summary>
    public static readonly IReadOnlyList<string> Alerts =
    [
        "probe_disk",
        "probe_queue",
        "node_full",
        "node_down",
        "cpu_high",
        "latency_high",
    ];

    /// <summary>Grace period in milliseconds. A create that FreeScout commits later may be a duplicate, which a finding shows.</summary>
    public const int Grace = 7_000;

    /// <summary>How FreeScout's webhook is disturbed.</summary>
    public const string Late = "late",
        Twice = "twice";

    private const int Length = 36;
    private const int LongestPause = 450;

    private static readonly IReadOnlyList<string> Tables =
    [
        "alerts",
        "alert_outbox",
        "alert_deliveries",
        "decisions",
        "tickets",
        "ticket_sync",
        "ticket_findings",
        "open_conversations",
        "audit_log",
        "feature_flags",
        "flood_breaker",
        "leases",
        "surface_readings",
    ];

    private static readonly IReadOnlyList<FaultKind> Faults =
    [
        FaultKind.Status,
        FaultKind.StatusAfter,
        FaultKind.Delay,
        FaultKind.HangBefore,
        FaultKind.HangAfter,
        FaultKind.ResetBefore,
        FaultKind.ResetAfter,
        FaultKind.CloseBefore,
        FaultKind.CloseAfter,
        FaultKind.BlankOk,
        FaultKind.NoId,
        FaultKind.TornJson,
        FaultKind.WrongJson,
        FaultKind.HtmlLogin,
        FaultKind.RateLimited,
    ];

    private static readonly IReadOnlyList<FaultKind> Refusals = [FaultKind.Unauthorized, FaultKind.Forbidden];

    /// <summary>The relative frequency of each verb.</summary>
    private static readonly IReadOnlyList<(Verb Verb, int Weight)> Weights =
    [
        (Verb.Click, 22),
        (Verb.Fire, 18),
        (Verb.FireAll, 6),
        (Verb.Worsen, 4),
        (Verb.WorsenAll, 2),
        (Verb.Resolve, 8),
        (Verb.ResolveAll, 3),
        (Verb.SurfaceDown, 9),
        (Verb.SurfaceUp, 7),
        (Verb.ResolveTicket, 4),
        (Verb.Flood, 2),
        (Verb.Kill, 5),
        (Verb.Terminate, 4),
        (Verb.Freeze, 5),
        (Verb.CutDatabase, 3),
        (Verb.StallDatabase, 4),
        (Verb.SlowDatabase, 4),
        (Verb.LockTable, 6),
        (Verb.RestartDatabase, 2),
        (Verb.FailFreeScout, 18),
        (Verb.FailSlack, 7),
        (Verb.RefuseKey, 1),
        (Verb.CommitLate, 4),
        (Verb.LagLists, 3),
        (Verb.DisturbWebhook, 3),
        (Verb.CloseTicket, 5),
        (Verb.ReopenTicket, 4),
        (Verb.DeleteTicket, 2),
        (Verb.DeleteForever, 1),
        (Verb.MoveTicket, 2),
        (Verb.EditTicket, 3),
        (Verb.UntagTicket, 2),
        (Verb.SwitchOff, 3),
        (Verb.SwitchOn, 3),
        (Verb.ResetFlood, 3),
    ];

    private static readonly IReadOnlyList<Verb> OnTickets =
    [
        Verb.ResolveTicket,
        Verb.CloseTicket,
        Verb.ReopenTicket,
        Verb.DeleteTicket,
        Verb.DeleteForever,
        Verb.MoveTicket,
        Verb.EditTicket,
        Verb.UntagTicket,
    ];

    private static readonly IReadOnlyList<Verb> Floods = [Verb.Flood, Verb.ResetFlood, Verb.SwitchOff, Verb.SwitchOn, Verb.FailFreeScout];

    /// <summary>The verbs that a seed emphasizes. Many faults of one kind find more than a few of each.</summary>
    private static readonly IReadOnlyList<IReadOnlyList<Verb>> Themes =
    [
        [],
        [Verb.FailFreeScout, Verb.RefuseKey, Verb.CommitLate, Verb.LagLists, Verb.DisturbWebhook],
        [Verb.Kill, Verb.Terminate, Verb.Freeze],
        [Verb.CutDatabase, Verb.StallDatabase, Verb.SlowDatabase, Verb.LockTable, Verb.RestartDatabase],
        [Verb.FailSlack, Verb.Worsen, Verb.ResolveAll, Verb.FireAll],
        OnTickets,
        Floods,
    ];

    private const int Emphasis = 4;

    /// <summary>The number of creates that FreeScout commits after the grace period.</summary>
    public int CommitsTooLate => Steps.Count(step => step.Verb == Verb.CommitLate && step.For > Grace);

    public string Consoles => $"{Processes} console(s){(HoursOff == 0 ? "" : $" and one {HoursOff:+0;-0} h off")}";

    public static Schedule Of(int seed)
    {
        var random = new Random(seed);
        var theme = Themes[seed % Themes.Count];
        var weights = Weights.Select(one => (one.Verb, Weight: one.Weight * (theme.Contains(one.Verb) ? Emphasis : 1))).ToList();
        var processes = random.Next(1, 3);
        var hoursOff = random.Next(-1, 2);
        var consoles = hoursOff == 0 ? processes : processes + 1;
        var steps = new List<Step>();
        for (var at = 0; steps.Count < Length; at += random.Next(LongestPause))
        {
            var verb = Draw(random, weights);
            var what = verb switch
            {
                Verb.Click or Verb.SurfaceDown or Verb.SurfaceUp => Pick(random, Surfaces),
                Verb.Fire or Verb.Worsen or Verb.Resolve => Pick(random, Alerts),
                Verb.LockTable => Pick(random, Tables),
                Verb.FailFreeScout => Pick(random, Targets.Names),
                Verb.DisturbWebhook => Pick(random, [Late, Twice]),
                Verb.SwitchOff or Verb.SwitchOn => Pick(random, Flags.FlagNames.All),
                Verb.ResetFlood => Pick(random, ["", ScheduleRun.FloodSource]),
                _ when OnTickets.Contains(verb) => $"{random.Next(6)}",
                _ => "",
            };
            var lasts = verb switch
            {
                Verb.Kill or Verb.Terminate => random.Next(1, 1_500),
                Verb.Freeze => random.Next(200, 6_000),
                Verb.CutDatabase or Verb.StallDatabase or Verb.SlowDatabase => random.Next(100, 3_000),
                Verb.LockTable or Verb.FailFreeScout => random.Next(100, random.Next(1_000, 7_000)),
                Verb.FailSlack => random.Next(100, 2_500),
                // One in four commits after the grace period, when the console may have posted again.
                Verb.CommitLate => random.Next(4) == 0 ? random.Next(Grace + 1_000, Grace + 6_000) : random.Next(100, 1_500),
                Verb.RefuseKey or Verb.LagLists or Verb.DisturbWebhook => random.Next(1_000, 4_000),
                _ => 0,
            };
            var console = random.Next(verb is Verb.Kill or Verb.Terminate or Verb.Freeze ? processes : consoles);
            steps.Add(new(at, verb, console, what, lasts, Pick(random, verb == Verb.RefuseKey ? Refusals : Faults)));
        }

        return new(seed, processes, hoursOff, theme == Floods ? 8 : 1_000, steps);
    }

    public override string ToString() => $"seed {Seed}, {Consoles}\n{string.Join('\n', Steps)}";

    private static Verb Draw(Random random, List<(Verb Verb, int Weight)> weights)
    {
        var draw = random.Next(weights.Sum(one => one.Weight));
        return weights.First(one => (draw -= one.Weight) < 0).Verb;
    }

    private static T Pick<T>(Random random, IReadOnlyList<T> all) => all[random.Next(all.Count)];
}

/// <summary>The FreeScout calls that a fault affects.</summary>
internal static class Targets
{
    private static readonly IReadOnlyDictionary<string, FaultMatch> All = new Dictionary<string, FaultMatch>
    {
        ["any call"] = FaultMatch.FreeScout,
        ["creates"] = FaultMatch.FreeScoutCreate,
        ["lists"] = FaultMatch.FreeScoutList,
        ["tags"] = FaultMatch.FreeScoutTags,
        ["notes"] = new("POST", FreeScoutStandIn.ApiPath + "/conversations/*/threads", Whole: true),
        ["look-ups"] = new("GET", FreeScoutStandIn.ApiPath + "/conversations/*", Whole: true),
        ["changes"] = new("PUT", FreeScoutStandIn.ApiPath + "/conversations/*", Whole: true),
    };

    public static readonly IReadOnlyList<string> Names = [.. All.Keys, "creates", "creates", "notes"];

    public static FaultMatch Of(string name) => All[name];
}
