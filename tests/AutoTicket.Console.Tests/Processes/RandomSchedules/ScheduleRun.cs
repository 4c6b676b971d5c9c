using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using AutoTicket.Data;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using Npgsql;

namespace AutoTicket.Tests.Processes;

/// <summary>The state of an alert that its sender reported last.</summary>
internal sealed record Wanted(string Name, string Severity, bool IsFiring);

/// <summary>Runs a schedule on real processes, its own PostgreSQL server and the sandbox, and collects violations during the run.
/// <see cref="Invariants"/> checks the result.</summary>
internal sealed class ScheduleRun : IAsyncDisposable
{
    public const string FloodSource = "storm";
    public const string LastSurface = "last";

    private const string Token = "canary-intake-schedule-0123456789ab";
    private const string Why = "The schedule says so.";
    private const int FloodAlerts = 40;
    private const int AnotherMailbox = 1;
    private const string Past = "2026-01-01T00:00:00Z";

    private static readonly TimeSpan Slow = TimeSpan.FromMilliseconds(900);
    private static readonly TimeSpan LongestLock = TimeSpan.FromSeconds(5);

    private readonly PostgresCluster _cluster;
    private readonly ConcurrentDictionary<string, Wanted> _wanted = new();
    private readonly ConcurrentDictionary<string, bool> _acknowledged = new();
    private readonly SemaphoreSlim _restarting = new(1, 1);
    private readonly ConcurrentBag<ActiveFault> _faults = [];

    private ScheduleRun(Schedule schedule, PostgresCluster cluster, string databaseUrl, SandboxServer sandbox)
    {
        (Schedule, _cluster, DatabaseUrl, Sandbox) = (schedule, cluster, databaseUrl, sandbox);
        var settings = Consoles.CommonSettings(sandbox);
        foreach (var (name, value) in Consoles.Watched(sandbox, [.. Schedule.Surfaces, LastSurface, "home"]).Concat(Settings))
        {
            settings[name] = value;
        }

        Replicas = [.. Enumerable.Range(0, schedule.Processes).Select(_ => new Replica(settings, databaseUrl))];
        if (schedule.HoursOff != 0)
        {
            Replicas = [.. Replicas, new Replica(settings, databaseUrl, sandbox, TimeSpan.FromHours(schedule.HoursOff))];
        }
    }

    public Schedule Schedule { get; }

    public string DatabaseUrl { get; }

    public SandboxServer Sandbox { get; }

    public FreeScoutStandIn FreeScout => Sandbox.FreeScout;

    public IReadOnlyList<Replica> Replicas { get; }

    /// <summary>Violations during the run.</summary>
    public ConcurrentQueue<string> Wrongs { get; } = new();

    /// <summary>Tickets that an agent deleted forever.</summary>
    public ConcurrentDictionary<long, bool> Removed { get; } = new();

    /// <summary>Tickets that an agent reopened. The console may have filed another one before.</summary>
    public ConcurrentDictionary<long, bool> Reopened { get; } = new();

    /// <summary>The names of alerts that a console acknowledged.</summary>
    public IReadOnlyDictionary<string, bool> Acknowledged => _acknowledged;

    /// <summary>The last report of each sender.</summary>
    public IReadOnlyCollection<Wanted> WantedNow => [.. _wanted.Values];

    /// <summary>The number of clicks per surface.</summary>
    public ConcurrentDictionary<string, int> Clicks { get; } = new();

    /// <summary>The number of interruptions between an external effect and its record.</summary>
    public int Interruptions => Schedule.Steps.Count(step => step.Verb is Verb.Kill or Verb.Freeze);

    /// <summary>How many Slack messages may have been sent without a record, so that a console repeats them.</summary>
    public int LostMessages =>
        Interruptions
        + _faults.Where(fault => fault.Fault.Match == FaultMatch.Slack).Sum(fault => fault.Hits)
        + Schedule.Steps.Count(step =>
            step.Verb is Verb.CutDatabase or Verb.StallDatabase or Verb.SlowDatabase or Verb.LockTable or Verb.RestartDatabase
        );

    public int FloodBudgetOfAll => Schedule.FloodBudget + 12;

    private Dictionary<string, string> Settings =>
        new()
        {
            ["ALERTS_INGEST_TOKEN"] = Token,
            ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
            ["Alerts__NotifySeverity"] = "P2",
            ["Alerts__QuietPeriod"] = "00:00:01",
            ["Slack__SinglesPerMinute"] = "60",
            ["Diagnostics__CanaryInterval"] = "00:00:02",
            ["Leader__Lease"] = "00:00:04",
            ["Ticketing__ClickBudget"] = "00:00:02",
            ["Ticketing__Lease"] = "00:00:04",
            ["FreeScout__CallTimeout"] = "00:00:01.2",
            // The spacing is longer than the lag of the lists. The grace period is longer than a late commit plus that lag.
            ["Ticketing__LookupSpacing"] = "00:00:02.2",
            ["Ticketing__Grace"] = $"{Schedule.Grace / 1_000}s",
            ["Ticketing__ReconcileInterval"] = "00:00:02",
            ["Ticketing__FullSyncEvery"] = "2",
            ["Ticketing__FloodBudgetPerSource"] = $"{Schedule.FloodBudget}",
            ["Ticketing__FloodBudget"] = $"{FloodBudgetOfAll}",
            ["Ticketing__FloodWindow"] = "00:00:10",
        };

    /// <summary>Starts all consoles at once, as a deployment does, and waits until they are ready.</summary>
    /// <param name="cluster">A server that no other run uses, because steps restart it.</param>
    public static async Task<ScheduleRun> StartAsync(Schedule schedule, PostgresCluster cluster, string template)
    {
        var sandbox = await SandboxServer.StartAsync();
        var run = new ScheduleRun(schedule, cluster, await cluster.CreateDatabaseAsync(template), sandbox);
        try
        {
            await Task.WhenAll(run.Replicas.Select(replica => replica.StartAsync()));
            foreach (var replica in run.Replicas)
            {
                await Eventually.TrueAsync(
                    async () => (await replica.AskAsync(HttpMethod.Get, "/healthz/ready"))?.Status == HttpStatusCode.OK,
                    "the console is ready"
                );
            }

            run.FreeScout.AnnounceTo(new Uri(run.Replicas[0].Address, "/api/freescout/webhook"));
            return run;
        }
        catch
        {
            await run.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts each step at its time, without waiting for earlier ones. Returns when all steps are over and all faults
    /// removed.</summary>
    public async Task PlayAsync()
    {
        var began = Stopwatch.GetTimestamp();
        var underWay = new List<Task>();
        foreach (var step in Schedule.Steps)
        {
            var left = TimeSpan.FromMilliseconds(step.At) - Stopwatch.GetElapsedTime(began);
            await Task.Delay(left > TimeSpan.Zero ? left : TimeSpan.Zero);
            underWay.Add(PlayAsync(step));
        }

        await Task.WhenAll(underWay);
        Sandbox.Faults.Clear();
        FreeScout.Behavior.ListLag = TimeSpan.Zero;
        await Eventually.TrueAsync(() => FreeScout.CreatesInFlight == 0, "FreeScout has committed all tickets");
    }

    /// <summary>Takes the last surface down, switches the flags on, and sends the current state of every alert again.</summary>
    public async Task SettleAsync()
    {
        Sandbox.Surface(LastSurface).Answer(503);
        foreach (var flag in Flags.FlagNames.All)
        {
            await UntilTakenAsync($"{flag} is on", () => SwitchAsync(0, flag, true));
        }

        foreach (var alert in _wanted.Values.OrderBy(alert => alert.Name, StringComparer.Ordinal))
        {
            await UntilTakenAsync($"{alert.Name} is accepted", () => SendAsync(0, alert));
        }
    }

    public async Task<NpgsqlConnection> OpenAsync()
    {
        var connection = new NpgsqlConnection(PostgresUrl.ToConnectionString(DatabaseUrl));
        await connection.OpenAsync();
        return connection;
    }

    /// <summary>Saves the logs, the tables and the requests to the simulated services.</summary>
    /// <returns>The path of the folder.</returns>
    public async Task<string> SaveLogsAsync()
    {
        var folder = Directory.CreateTempSubdirectory($"autoticket-schedule-{Schedule.Seed}-").FullName;
        foreach (var (log, n) in Replicas.SelectMany((replica, n) => replica.Logs.Select((log, life) => (log, $"{n}-{life}"))))
        {
            await File.WriteAllLinesAsync(Path.Combine(folder, $"console-{n}.log"), [.. log.Lines, .. log.Errors]);
        }

        await File.WriteAllLinesAsync(
            Path.Combine(folder, "requests.log"),
            Sandbox
                .RecordedRequests.Where(request => !request.Path.StartsWith("/surfaces", StringComparison.Ordinal))
                .Select(request => $"{request.At:HH:mm:ss.fff} {request.Method} {request.PathAndQuery} {request.Body}")
        );
        await using var connection = await OpenAsync();
        foreach (var table in Invariants.Growing)
        {
            await using var command = new NpgsqlCommand($"SELECT row_to_json({table})::text FROM {table}", connection);
            await using var reader = await command.ExecuteReaderAsync();
            await using var file = File.CreateText(Path.Combine(folder, $"{table}.json"));
            while (await reader.ReadAsync())
            {
                await file.WriteLineAsync(reader.GetString(0));
            }
        }

        return folder;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in Replicas)
        {
            await replica.DisposeAsync();
        }

        await Sandbox.DisposeAsync();
        await _cluster.DropAsync(DatabaseUrl);
        _restarting.Dispose();
    }

    private async Task PlayAsync(Step step)
    {
        try
        {
            await DoAsync(step);
        }
        catch (Exception failure)
        {
            Wrongs.Enqueue($"{step} ended in {failure.GetType().Name}: {failure.Message}");
        }
    }

    private async Task DoAsync(Step step)
    {
        var (replica, time) = (Replicas[step.Console], TimeSpan.FromMilliseconds(step.For));
        switch (step.Verb)
        {
            case Verb.Click:
                Clicks.AddOrUpdate(step.What, 1, (_, before) => before + 1);
                Expect(step, await replica.AskAsync(HttpMethod.Post, $"/api/surfaces/{step.What}/investigate"), 200, 403, 409, 503);
                break;
            case Verb.Fire:
                await SendAsync(step, new(step.What, "P2", IsFiring: true));
                break;
            case Verb.Worsen:
                await SendAsync(step, new(step.What, "P1", IsFiring: true));
                break;
            case Verb.Resolve:
                await SendAsync(step, new(step.What, "P2", IsFiring: false));
                break;
            case Verb.FireAll or Verb.WorsenAll or Verb.ResolveAll:
                var severity = step.Verb == Verb.WorsenAll ? "P1" : "P2";
                await Task.WhenAll(Schedule.Alerts.Select(name => SendAsync(step, new(name, severity, step.Verb != Verb.ResolveAll))));
                break;
            case Verb.Flood:
                await Task.WhenAll(
                    Enumerable.Range(0, FloodAlerts).Select(n => SendAsync(step, new($"{FloodSource}_{n}", "P2", IsFiring: true)))
                );
                break;
            case Verb.SurfaceDown:
                Sandbox.Surface(step.What).Answer(503);
                break;
            case Verb.SurfaceUp:
                Sandbox.Surface(step.What).Answer();
                break;
            case Verb.ResolveTicket:
                await WithTicketAsync(
                    step,
                    async id =>
                        Expect(
                            step,
                            await replica.AskAsync(HttpMethod.Post, "/api/tickets/resolve", new { ids = new[] { id }, note = Why }),
                            200,
                            503
                        )
                );
                break;
            case Verb.Kill:
                await replica.KillAsync(time);
                break;
            case Verb.Terminate:
                if (await replica.TerminateAsync(time) is not 0 and var code)
                {
                    Wrongs.Enqueue($"{step} ended with exit code {code}");
                }

                break;
            case Verb.Freeze:
                await replica.FreezeAsync(time);
                break;
            case Verb.CutDatabase:
                replica.Line.Cut();
                await Task.Delay(time);
                replica.Line.Restore();
                break;
            case Verb.StallDatabase:
                replica.Line.Stall();
                await Task.Delay(time);
                replica.Line.Restore();
                break;
            case Verb.SlowDatabase:
                replica.Line.Latency = TimeSpan.FromMilliseconds(40);
                await Task.Delay(time);
                replica.Line.Latency = TimeSpan.Zero;
                break;
            case Verb.LockTable:
                await LockAsync(step.What, time);
                break;
            case Verb.RestartDatabase:
                await _restarting.WaitAsync();
                await _cluster.StopAsync();
                await _cluster.StartAsync();
                _restarting.Release();
                break;
            case Verb.FailFreeScout:
                await FailAsync(step.Fault, Targets.Of(step.What), time);
                break;
            case Verb.FailSlack:
                await FailAsync(step.Fault, FaultMatch.Slack, time);
                break;
            case Verb.RefuseKey:
                await FailAsync(step.Fault, FaultMatch.FreeScout, time);
                break;
            case Verb.CommitLate:
                _faults.Add(
                    Sandbox.Faults.Add(
                        new(FaultKind.LateCommit)
                        {
                            Match = FaultMatch.FreeScoutCreate,
                            Delay = time,
                            Times = 1,
                        }
                    )
                );
                break;
            case Verb.LagLists:
                FreeScout.Behavior.ListLag = TimeSpan.FromSeconds(2);
                await Task.Delay(time);
                FreeScout.Behavior.ListLag = TimeSpan.Zero;
                break;
            case Verb.DisturbWebhook:
                (FreeScout.Webhooks.Reorders, FreeScout.Webhooks.Duplicates) = (step.What == Schedule.Late, step.What == Schedule.Twice);
                await Task.Delay(time);
                (FreeScout.Webhooks.Reorders, FreeScout.Webhooks.Duplicates) = (false, false);
                break;
            case Verb.CloseTicket:
                await WithTicketAsync(step, id => Task.FromResult(FreeScout.Close(id)));
                break;
            case Verb.ReopenTicket:
                await WithTicketAsync(step, id => Task.FromResult(Reopened[id] = FreeScout.Reopen(id)), "closed");
                break;
            case Verb.DeleteTicket:
                await WithTicketAsync(step, id => Task.FromResult(FreeScout.Delete(id)));
                break;
            case Verb.DeleteForever:
                await WithTicketAsync(step, id => Task.FromResult(Removed[id] = FreeScout.DeleteForever(id)));
                break;
            case Verb.MoveTicket:
                await WithTicketAsync(step, id => Task.FromResult(FreeScout.Move(id, AnotherMailbox)));
                break;
            case Verb.EditTicket:
                await WithTicketAsync(step, id => Task.FromResult(FreeScout.Rename(id, "An agent gave it another subject")));
                break;
            case Verb.UntagTicket:
                await WithTicketAsync(step, id => Task.FromResult(FreeScout.SetTags(id)));
                break;
            case Verb.SwitchOff or Verb.SwitchOn:
                await SwitchAsync(step.Console, step.What, step.Verb == Verb.SwitchOn);
                break;
            case Verb.ResetFlood:
                Expect(
                    step,
                    await replica.AskAsync(HttpMethod.Post, "/api/flood/reset", new { scope = step.What, reason = Why }),
                    200,
                    409,
                    503
                );
                break;
        }
    }

    private async Task FailAsync(FaultKind kind, FaultMatch match, TimeSpan time)
    {
        var fault = Sandbox.Faults.Add(
            new(kind)
            {
                Match = match,
                Delay = Slow,
                RetryAfter = kind == FaultKind.RateLimited ? 1 : null,
            }
        );
        _faults.Add(fault);
        await Task.Delay(time);
        fault.Dispose();
    }

    private async Task SendAsync(Step step, Wanted alert)
    {
        _wanted[alert.Name] = alert;
        Expect(step, await SendAsync(step.Console, alert), 200, 202, 503);
    }

    private async Task<Answer?> SendAsync(int console, Wanted alert)
    {
        var source = alert.Name.Split('_')[0];
        // In Prometheus each severity is a rule of its own: one fires, the other is resolved.
        var rules = new[] { ("P1", "critical"), ("P2", "error") }.Select(rule =>
            (Labels: new { alertname = alert.Name, severity = rule.Item2 }, IsFiring: alert.IsFiring && alert.Severity == rule.Item1)
        );
        var annotations = new { summary = "It fails" };
        (string Path, object Body) request = source switch
        {
            "probe" or FloodSource => (
                "/api/alerts",
                new
                {
                    source,
                    name = alert.Name,
                    severity = alert.Severity,
                    annotations.summary,
                    status = alert.IsFiring ? "firing" : "resolved",
                }
            ),
            "node" => (
                "/api/alerts/alertmanager",
                new
                {
                    version = "4",
                    alerts = rules.Select(rule => new
                    {
                        status = rule.IsFiring ? "firing" : "resolved",
                        labels = rule.Labels,
                        annotations,
                        endsAt = rule.IsFiring ? "0001-01-01T00:00:00Z" : Past,
                    }),
                }
            ),
            _ => (
                "/api/v2/alerts",
                rules.Select(rule => new
                {
                    labels = rule.Labels,
                    annotations,
                    endsAt = rule.IsFiring ? "2099-01-01T00:00:00Z" : Past,
                })
            ),
        };
        var answer = await Replicas[console].AskAsync(HttpMethod.Post, request.Path, request.Body, Token);
        if (alert.IsFiring && answer?.Status is HttpStatusCode.OK or HttpStatusCode.Accepted)
        {
            _acknowledged[alert.Name] = true;
        }

        return answer;
    }

    private Task<Answer?> SwitchAsync(int console, string flag, bool enabled) =>
        Replicas[console].AskAsync(HttpMethod.Put, $"/api/flags/{flag}", new { enabled, reason = Why });

    private async Task UntilTakenAsync(string what, Func<Task<Answer?>> ask)
    {
        Answer? last = null;
        try
        {
            await Eventually.TrueAsync(async () => (last = await ask())?.Message.IsSuccessStatusCode == true, what);
        }
        catch (TimeoutException)
        {
            Wrongs.Enqueue($"Never: {what}. The last answer: {last?.Status} {last?.Text}");
        }
    }

    /// <summary>Acts on a ticket that the console has recorded, because nobody knows of it before.</summary>
    private async Task WithTicketAsync(Step step, Func<long, Task> act, string state = "open")
    {
        var shown = new List<long>();
        try
        {
            await using var connection = await OpenAsync();
            await using var command = new NpgsqlCommand(
                $"""
                SET statement_timeout = 1000;
                SELECT conversation_id FROM tickets WHERE state = '{state}' AND conversation_id IS NOT NULL ORDER BY 1
                """,
                connection
            );
            await using var reader = await command.ExecuteReaderAsync();
            while (await reader.ReadAsync())
            {
                shown.Add(reader.GetInt64(0));
            }
        }
        catch (NpgsqlException)
        {
            // Without the database nobody sees a ticket, so the step is skipped.
        }

        if (shown.Count > 0)
        {
            await act(shown[int.Parse(step.What, System.Globalization.CultureInfo.InvariantCulture) % shown.Count]);
        }
    }

    private async Task LockAsync(string table, TimeSpan time)
    {
        try
        {
            await using var connection = await OpenAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            await using var command = new NpgsqlCommand(
                $"SET LOCAL lock_timeout = {(int)LongestLock.TotalMilliseconds}; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE",
                connection,
                transaction
            );
            await command.ExecuteNonQueryAsync();
            await Task.Delay(time);
        }
        catch (NpgsqlException)
        {
            // Without the database there is nothing to lock.
        }
    }

    private void Expect(Step step, Answer? answer, params int[] expected)
    {
        if (answer is not null && !expected.Contains((int)answer.Status))
        {
            Wrongs.Enqueue($"{step} was answered with {(int)answer.Status}: {answer.Text}");
        }
    }
}
