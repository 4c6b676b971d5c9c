using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using AutoTicket.Alerts;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using Npgsql;

namespace AutoTicket.Tests.Processes;

/// <summary>Checks the invariants after a schedule from outside: in the records of the simulated services, over HTTP and in SQL.</summary>
internal sealed partial class Invariants(ScheduleRun run)
{
    /// <summary>The most log lines that a process may write in a schedule.</summary>
    private const int MostLines = 2_000;

    /// <summary>How often a process may repeat one warning.</summary>
    private const int MostAlike = 40;

    /// <summary>The most rows of failed filings of one key, in addition to one per click.</summary>
    private const int MostFailed = 3;

    /// <summary>Tables that must not grow while nothing happens.</summary>
    public static readonly IReadOnlyList<string> Growing =
    [
        "tickets",
        "alerts",
        "alert_outbox",
        "alert_deliveries",
        "decisions",
        "audit_log",
        "parked_alerts",
        "ticket_findings",
        "flood_breaker",
    ];

    private static readonly string[] Loops = ["database", "leader", "last_emit", "flags", "circuit"];
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(500);

    private readonly List<string> _wrongs = [];

    /// <summary>The number of keys with more than one open ticket, which a late commit or an agent may cause.</summary>
    public int Doubles { get; private set; }

    /// <summary>Waits until the consoles have finished all work, and returns every violation.</summary>
    public async Task<IReadOnlyList<string>> CheckAsync()
    {
        await GatherAsync(LostAsync);
        await run.SettleAsync();
        await UntilNoneAsync(LeftToDoAsync);
        await GatherAsync(ClickTheLastAsync);
        await UntilNoneAsync(StirsAsync);
        await GatherAsync(TicketsAsync);
        await GatherAsync(BreakersAsync);
        _wrongs.AddRange(Repeats());
        _wrongs.AddRange(run.Replicas.SelectMany((replica, n) => replica.Logs.SelectMany(log => Log(log.Lines, log.Errors, n))));
        return [.. run.Wrongs, .. _wrongs];
    }

    /// <summary>Acknowledged alerts that are not stored. It runs before the senders repeat their alerts.</summary>
    private async Task<List<string>> LostAsync()
    {
        var stored = await TextsAsync("SELECT DISTINCT name FROM alerts");
        return [.. run.Acknowledged.Keys.Except(stored).Select(name => $"I2: {name} was acknowledged but is not stored.")];
    }

    /// <summary>Violations that the consoles may still repair by themselves.</summary>
    private async Task<List<string>> LeftToDoAsync()
    {
        var left = new List<string>();
        foreach (var (replica, n) in run.Replicas.Select((replica, n) => (replica, n)))
        {
            left.AddRange((await LoopsAsync(replica)).Select(one => $"I4: console {n}: {one}"));
        }

        return left.Count > 0 ? left : [.. await UnsettledAsync(), .. await AlertsAsync(), .. await TicketsAsync()];
    }

    /// <summary>What keeps the console from being healthy: a loop that has not run since the faults ended, or old data.</summary>
    private static async Task<List<string>> LoopsAsync(Replica replica)
    {
        if (await replica.AskAsync(HttpMethod.Get, "/healthz/ready") is not { Status: HttpStatusCode.OK, Text: "Healthy" })
        {
            return ["it is not healthy"];
        }

        var steps = (await GetAsync(replica, "/api/diagnostics", "steps")).ToDictionary(step => Text(step, "key"));
        var halted = Loops.Where(loop => Text(steps[loop], "state") != "ok").Select(loop => $"“{loop}”: {Text(steps[loop], "seen")}");
        var left = halted.ToList();
        foreach (var surface in await GetAsync(replica, "/api/status", "surfaces"))
        {
            var (key, status) = (Text(surface, "key"), Text(surface, "status"));
            if (status is not ("operational" or "down") || (key == ScheduleRun.LastSurface && status != "down"))
            {
                left.Add($"surface {key} is shown as {status}");
            }
        }

        return await replica.AskAsync(HttpMethod.Get, "/api/tickets") is { } tickets && !tickets.Body.GetProperty("stale").GetBoolean()
            ? left
            : [.. left, "its tickets are stale"];
    }

    /// <summary>Filings that are not settled. A lost answer may stay unconfirmed only if FreeScout has no ticket for it.</summary>
    private async Task<IEnumerable<string>> UnsettledAsync()
    {
        var subjects = run.FreeScout.Conversations.Select(one => one.Subject).ToList();
        var rows = await QueryAsync(
            "SELECT marker, state, subject FROM tickets WHERE state IN ('filing', 'unconfirmed') OR (tags_pending AND state = 'open')",
            row => (Marker: row.GetString(0), State: row.GetString(1), Subject: row.GetString(2))
        );
        return rows.Where(row =>
                row.State != "unconfirmed" || subjects.Exists(subject => subject.Contains(row.Marker, StringComparison.Ordinal))
            )
            .Select(row => $"I2: {row.Subject} [{row.Marker}] is {row.State}{(row.State == "open" ? ", without its tags" : "")}.");
    }

    /// <summary>Alerts whose state differs from the sender's last report, without a DM, or without a ticket and a valid reason.</summary>
    private async Task<List<string>> AlertsAsync()
    {
        var left = new List<string>();
        var breakers = (await GetAsync(run.Replicas[0], "/api/flood", "flood")).Select(row => Text(row, "scope")).ToHashSet();
        var all = await GetAsync(run.Replicas[0], "/api/alerts", "alerts");
        var active = all.Where(alert => Text(alert, "status") == "firing").ToList();
        foreach (var alert in all.Where(alert => Text(alert, "severity") is "p1" or "p2"))
        {
            var name = $"{Text(alert, "name")} {Text(alert, "surface")}".TrimEnd();
            if (Text(alert, "dm_sent_at").Length == 0)
            {
                left.Add($"I3: no DM went out for {name}.");
            }

            if (active.Contains(alert) && WhyNone(alert, breakers) is { } why)
            {
                left.Add($"I2: {name} is active and has no ticket: {why}.");
            }
        }

        var names = active.Select(alert => Text(alert, "name")).ToHashSet();
        left.AddRange(
            run.WantedNow.Where(wanted => wanted.IsFiring != names.Contains(wanted.Name))
                .Select(wanted => $"I2: {wanted.Name} is {(wanted.IsFiring ? "not " : "")}active, unlike its sender's last report.")
        );
        return left;
    }

    /// <summary>Why the active alert has no ticket; null if it has one, or a valid reason for none.</summary>
    private string? WhyNone(JsonElement alert, HashSet<string> breakers)
    {
        if (alert.GetProperty("ticket") is { ValueKind: JsonValueKind.Object } ticket)
        {
            var id = ticket.GetProperty("id").GetInt64();
            return run.FreeScout.Find(id) is not null || run.Removed.ContainsKey(id) ? null : $"FreeScout does not have its ticket {id}";
        }

        var decisions = alert.GetProperty("decisions").EnumerateArray().Where(decision => Text(decision, "path") == "ticket");
        return decisions.Select(decision => Text(decision, "word")).LastOrDefault() switch
        {
            "no ticket: escalation" => null,
            "breaker tripped" when breakers.Contains("") || breakers.Contains(Text(alert, "source")) => null,
            var word => word ?? "no decision",
        };
    }

    /// <summary>A click on the last surface returns the same ticket on every console.</summary>
    private async Task<List<string>> ClickTheLastAsync()
    {
        const string path = $"/api/surfaces/{ScheduleRun.LastSurface}/investigate";
        var seen = new List<long>();
        foreach (var replica in run.Replicas)
        {
            Answer? answer = null;
            await Eventually.TrueAsync(
                async () => (answer = await replica.AskAsync(HttpMethod.Post, path))?.Ticket is not null,
                "a click returns a ticket"
            );
            seen.Add(answer!.Ticket!.Value);
        }

        return seen.Distinct().Count() == 1 ? [] : [$"I1: clicks on the last surface returned {string.Join(", ", seen)}."];
    }

    /// <summary>While nothing happens, the consoles must send, log and store nothing during several syncs.</summary>
    private async Task<List<string>> StirsAsync()
    {
        var (effects, messages, lines, rows) = (Effects().Count, run.Sandbox.Slack.Messages.Count, LinesWritten(), await RowsAsync());
        var synced = await SyncedAtAsync();
        await Eventually.TrueAsync(async () => await SyncedAtAsync() > synced + TimeSpan.FromSeconds(3), "the sync continues");
        var now = await RowsAsync();
        return
        [
            .. Effects().Skip(effects).Select(request => $"Quiet: {request.Method} {request.PathAndQuery} {request.Body}"),
            .. run.Sandbox.Slack.Messages.Skip(messages).Select(message => $"Quiet: a DM: {message.Text}"),
            .. Growing
                .Where(table => now[table] > rows[table])
                .Select(table => $"Bounds: {table} grew from {rows[table]} to {now[table]} rows while nothing happened."),
            .. LinesWritten()
                .Zip(lines, (after, before) => after - before)
                .Where(more => more > 3)
                .Select(more => $"Bounds: {more} log lines while nothing happened."),
        ];
    }

    /// <summary>Each key has one open ticket, and each ticket one audit row. A create that FreeScout commits too late, or a ticket that an
    /// agent reopens, may be a second one. Then a finding must show it.</summary>
    private async Task<List<string>> TicketsAsync()
    {
        var tooLate = run.Schedule.CommitsTooLate;
        var duplicates = await QueryAsync(
            "SELECT conversation_id FROM ticket_findings WHERE kind = 'duplicate' AND is_open",
            row => row.GetInt64(0)
        );
        var adopted = await QueryAsync(
            """
            SELECT (payload->>'conversation_id')::bigint FROM audit_log
            WHERE action = 'console.tickets.reconciled' AND payload->>'repair' = 'adopted'
            """,
            row => row.GetInt64(0)
        );
        var held = run.FreeScout.Conversations;
        var open = held.Where(one => one.IsOpen).GroupBy(one => Find(one, DedupKey())).ToList();
        var filed = (
            await QueryAsync(
                """
                SELECT (payload->>'conversation_id')::bigint FROM audit_log
                WHERE action IN ('console.alerts.ticket_filed', 'console.status.investigate_filed')
                """,
                row => row.GetInt64(0)
            )
        ).CountBy(id => id).ToDictionary();
        var failed = await QueryAsync(
            "SELECT max(coalesce(surface_key, '')), max(subject), count(*) FROM tickets WHERE conversation_id IS NULL GROUP BY dedup_key",
            row => (Surface: row.GetString(0), Subject: row.GetString(1), Count: row.GetInt64(2))
        );
        Doubles = open.Count(same => same.Count() > 1);
        return
        [
            .. open.Where(same => same.Where(one => !run.Reopened.ContainsKey(one.Id)).DistinctBy(one => Find(one, Marker())).Count() > 1)
                .Select(same => $"I1: open tickets of one key: {Shown(same)}"),
            .. open.Where(same => same.Count(one => !duplicates.Contains(one.Id)) > 1)
                .Select(same => $"I1: no finding shows the duplicate open tickets of one key: {Shown(same)}"),
            .. adopted.Count > tooLate
                ? [$"I5: the console adopted tickets that it had no row of: {string.Join(", ", adopted)}."]
                : Array.Empty<string>(),
            .. held.Where(one => filed.GetValueOrDefault(one.Id) + adopted.Count(id => id == one.Id) != 1)
                .Select(one => $"I5: ticket {one.Id} {one.Subject} has {filed.GetValueOrDefault(one.Id)} audit rows."),
            .. filed
                .Keys.Except(held.Select(one => one.Id))
                .Where(id => !run.Removed.ContainsKey(id))
                .Select(id => $"I5: the audit log has ticket {id}, which FreeScout does not have."),
            .. failed
                .Where(key => key.Count > MostFailed + run.Clicks.GetValueOrDefault(key.Surface))
                .Select(key => $"Bounds: {key.Count} rows of failed filings of {key.Subject}"),
        ];
    }

    /// <summary>A breaker is tripped if and only if its alert fires. Filed tickets trip it, failed tries don't.</summary>
    private async Task<List<string>> BreakersAsync()
    {
        var tripped = await TextsAsync("SELECT scope FROM flood_breaker WHERE state <> 'closed'");
        var firing = await TextsAsync("SELECT alert_id FROM alerts WHERE name = 'ticket_flood' AND status = 'firing'");
        List<string> wrongs = tripped.Select(AlertOf).Order().SequenceEqual(firing.Order())
            ? []
            : [$"Breaker: tripped [{string.Join(", ", tripped)}], but {firing.Count} of its alerts fire."];
        var sources = await TextsAsync("SELECT filed_by FROM tickets WHERE conversation_id IS NOT NULL AND filed_by LIKE 'alert:%'");
        foreach (
            var scope in await TextsAsync("SELECT DISTINCT payload->>'scope' FROM audit_log WHERE action = 'console.alerts.flood_tripped'")
        )
        {
            var filed = scope.Length == 0 ? sources : sources.FindAll(source => source == $"alert:{scope}");
            if (filed.Count < (scope.Length == 0 ? run.FloodBudgetOfAll : run.Schedule.FloodBudget))
            {
                wrongs.Add($"Breaker: it tripped for “{scope}” after {filed.Count} filed ticket(s).");
            }
        }

        return wrongs;
    }

    /// <summary>Notes and DMs that were repeated more often than the interruptions allow.</summary>
    private IEnumerable<string> Repeats() =>
        [
            .. run
                .FreeScout.Conversations.SelectMany(ticket =>
                    ticket.Threads.Where(thread => thread.Type == "note").CountBy(note => (ticket.Id, note.Body))
                )
                .Where(same => same.Value > 1 + run.Interruptions)
                .Select(same => $"Notes: {same.Value} times on ticket {same.Key.Id}: {same.Key.Body}"),
            .. run
                .Sandbox.Slack.Messages.CountBy(message => message.Text)
                .Where(same => same.Value > 1 + run.LostMessages)
                .Select(same => $"I3: {same.Value} DMs: {same.Key}"),
        ];

    private static string Shown(IEnumerable<SandboxConversation> tickets) =>
        string.Join(" | ", tickets.Select(one => $"{one.Id} {one.Subject}"));

    private static IEnumerable<string> Log(IReadOnlyList<string> lines, IReadOnlyList<string> errors, int n)
    {
        // A kill may cut the last line.
        var parsed = lines.Select(LogLine.Parse).SkipLast(1).ToList();
        return
        [
            .. errors.Select(line => $"I4: console {n} wrote to standard error: {line}"),
            .. parsed
                .Zip(lines)
                .Where(line => line.First is null or { Level: "ERROR" or "CRITICAL" })
                .Select(line => $"I4: console {n}: {line.Second}"),
            .. lines.Count > MostLines ? [$"Bounds: console {n} wrote {lines.Count} lines."] : Array.Empty<string>(),
            .. parsed
                .Where(line => line?.Level == "WARNING")
                .CountBy(line => $"{line!.Category} {Numbers().Replace(line.Message, "#")}")
                .Where(alike => alike.Value > MostAlike)
                .Select(alike => $"Bounds: console {n} wrote {alike.Value} times: {alike.Key}"),
        ];
    }

    /// <summary>The dedup key or marker in the ticket's text. It comes from FreeScout, so the check doesn't rely on the console.</summary>
    private static string Find(SandboxConversation conversation, Regex text) =>
        conversation.Threads.Select(thread => text.Match(thread.Body)).FirstOrDefault(match => match.Success)?.Value
        ?? $"{conversation.Id}";

    private static string AlertOf(string scope) =>
        AlertIdentity.Of("console", "ticket_flood", null, scope.Length == 0 ? [] : [KeyValuePair.Create("source", scope)]);

    private List<RecordedRequest> Effects() => [.. run.FreeScout.RecordedRequests.Where(request => request.Method != "GET")];

    private List<int> LinesWritten() => [.. run.Replicas.Select(replica => replica.Logs.Last().Lines.Count)];

    private async Task<Dictionary<string, long>> RowsAsync()
    {
        var rows = new Dictionary<string, long>();
        foreach (var table in Growing)
        {
            rows[table] = (await QueryAsync($"SELECT count(*) FROM {table}", row => row.GetInt64(0)))[0];
        }

        return rows;
    }

    private async Task<DateTimeOffset> SyncedAtAsync() =>
        (await QueryAsync("SELECT synced_at FROM ticket_sync", row => row.GetFieldValue<DateTimeOffset>(0)))[0];

    private static async Task<List<JsonElement>> GetAsync(Replica replica, string path, string list) =>
        await replica.AskAsync(HttpMethod.Get, path) is { Status: HttpStatusCode.OK } answer
            ? [.. answer.Body.GetProperty(list).EnumerateArray()]
            : throw new HttpRequestException($"The console does not answer {path}.");

    /// <summary>The property as text, empty for null.</summary>
    private static string Text(JsonElement row, string name) => row.GetProperty(name).ToString();

    private Task<List<string>> TextsAsync(string sql) => QueryAsync(sql, row => row.GetString(0));

    private async Task<List<T>> QueryAsync<T>(string sql, Func<NpgsqlDataReader, T> read)
    {
        await using var connection = await run.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<T>();
        while (await reader.ReadAsync())
        {
            rows.Add(read(reader));
        }

        return rows;
    }

    private async Task GatherAsync(Func<Task<List<string>>> check)
    {
        try
        {
            _wrongs.AddRange(await check());
        }
        catch (Exception failure) when (failure is TimeoutException or HttpRequestException or NpgsqlException)
        {
            _wrongs.Add(string.Create(CultureInfo.InvariantCulture, $"{check.Method.Name}: {failure.Message}"));
        }
    }

    private async Task UntilNoneAsync(Func<Task<List<string>>> check)
    {
        List<string> left = [];
        try
        {
            await Eventually.TrueAsync(
                async () =>
                {
                    // Checks load the consoles. The pause leaves them time for their own work.
                    await Task.Delay(Breath);
                    return (left = await check()).Count == 0;
                },
                check.Method.Name,
                Patience
            );
        }
        catch (TimeoutException late)
        {
            _wrongs.AddRange(left.Count > 0 ? left : [late.Message]);
        }
    }

    [GeneratedRegex("[0-9a-f]{64}")]
    private static partial Regex DedupKey();

    [GeneratedRegex(@"\bat-[0-9a-z]{10}\b")]
    private static partial Regex Marker();

    [GeneratedRegex("[0-9]+")]
    private static partial Regex Numbers();
}
