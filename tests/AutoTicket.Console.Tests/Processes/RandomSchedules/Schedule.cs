using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Processes;

/// <summary>What can happen in a schedule.</summary>
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

    // The database, as one console reaches it; a lock and a restart meet all.
    CutDatabase,
    StallDatabase,
    SlowDatabase,
    LockTable,
    RestartDatabase,

    // The services outside.
    FailFreeScout,
    FailSlack,
    RefuseKey,
    CommitLate,
    LagLists,
    DisturbWebhook,

    // People.
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

/// <param name="At">When it begins, in milliseconds since the consoles were ready.</param>
/// <param name="Console">Which console it is asked of, or happens to.</param>
/// <param name="What">The surface, alert, table, flag or calls that it is about; for a ticket its place among those of its state.</param>
/// <param name="For">How long it lasts, in milliseconds.</param>
internal sealed record Step(int At, Verb Verb, int Console, string What, int For, FaultKind Fault)
{
    public override string ToString()
    {
        var fault = Verb is Verb.FailFreeScout or Verb.FailSlack or Verb.RefuseKey ? $" {Fault}" : "";
        return $"{At, 6} ms  console {Console}  {Verb}{(What.Length > 0 ? $" {What}" : "")}{fault}{(For > 0 ? $" for {For} ms" : "")}";
    }
}

/// <summary>A random schedule. The same seed gives the same steps, but never the same interleaving: the processes are real.</summary>
/// <param name="Processes">Consoles that can be killed and frozen. Their clocks are right.</param>
/// <param name="HoursOff">The last console is one more, whose clock is wrong by this; zero: there is none.</param>
/// <param name="FloodBudget">Of one source, and so much above it of all: low where floods are what it is about.</param>
internal sealed record Schedule(int Seed, int Processes, int HoursOff, int FloodBudget, IReadOnlyList<Step> Steps)
{
    public static readonly IReadOnlyList<string> Surfaces = ["pay", "shop"];

    /// <summary>Those of <c>probe</c> come in the generic format, of <c>node</c> by an Alertmanager's webhook, the others as Prometheus
    /// sends them.</summary>
    public static readonly IReadOnlyList<string> Alerts =
    [
        "probe_disk",
        "probe_queue",
        "node_full",
        "node_down",
        "cpu_high",
        "latency_high",
    ];

    /// <summary>In milliseconds: what FreeScout commits later may be a second ticket, and is told.</summary>
    public const int Grace = 7_000;

    /// <summary>How a webhook of FreeScout's is disturbed.</summary>
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

    /// <summary>How often each comes, beside the others.</summary>
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

    /// <summary>What a schedule is mostly about, by its seed: everything a little meets less than much of one thing.</summary>
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

    /// <summary>How many of them FreeScout commits too late.</summary>
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
                // One in four is later than a second post may come.
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

/// <summary>The calls of FreeScout that a fault meets.</summary>
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
