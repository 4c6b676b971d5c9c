using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace AutoTicket.Diagnostics;

/// <summary>
/// Runs the runbook's pipeline checks. They start at once, except those that need another one first. Each has its own timeout, so that the
/// first result comes at once, and all of them come within five seconds.
/// </summary>
internal sealed class PipelineDiagnostics(FreeScoutChecks freeScout, LineChecks line, ConsoleChecks console, TimeProvider clock)
{
    /// <summary>The timeout of a check; none waits for more than two others.</summary>
    internal static readonly TimeSpan Bound = TimeSpan.FromSeconds(1.5);

    /// <summary>How long a finished run answers further requests.</summary>
    internal static readonly TimeSpan Fresh = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<string, (DiagnosticState State, DateTimeOffset Since)> _since = new();
    private readonly Lock _lock = new();
    private Run? _run;

    /// <param name="Asking">One task for each check.</param>
    private sealed record Run(
        IReadOnlyList<DiagnosticCheck> Chain,
        IReadOnlyList<Task<(DiagnosticCheck Check, Finding Finding)>> Asking,
        DateTimeOffset At,
        long Timestamp
    );

    /// <summary>Keys and names of all checks, in their order.</summary>
    public IReadOnlyList<(string Key, string Name)> Steps =>
        [.. Chain(freeScout.Begin(), line, console).Select(check => (check.Key, check.Name))];

    /// <summary>Yields a report, with the verdict so far, whenever a check has ended.</summary>
    public async IAsyncEnumerable<DiagnosticReport> RunAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var run = Current();
        var found = new Dictionary<string, (DiagnosticStep Step, Finding Finding)>();
        await foreach (var done in Task.WhenEach(run.Asking).WithCancellation(cancellationToken))
        {
            var (check, finding) = await done;
            found[check.Key] = (StepOf(check, finding), finding);
            var soFar = run.Chain.Where(one => found.ContainsKey(one.Key)).Select(one => found[one.Key]).ToList();
            yield return new DiagnosticReport(
                Verdict.Of([.. soFar.Select(one => (one.Step.Key, one.Finding))]),
                [.. soFar.Select(one => one.Step)],
                run.At
            );
        }
    }

    /// <returns>The current run, or a new one: concurrent requests share a run.</returns>
    private Run Current()
    {
        lock (_lock)
        {
            if (_run is { } run && (!run.Asking.All(step => step.IsCompleted) || clock.GetElapsedTime(run.Timestamp) < Fresh))
            {
                return run;
            }

            var chain = Chain(freeScout.Begin(), line, console).ToList();
            var known = chain.ToDictionary(
                check => check.Key,
                _ => new TaskCompletionSource<Finding>(TaskCreationOptions.RunContinuationsAsynchronously)
            );
            return _run = new(
                chain,
                chain.ConvertAll(async check =>
                {
                    var finding = await AskAsync(check, chain, known);
                    known[check.Key].SetResult(finding);
                    return (check, finding);
                }),
                clock.GetUtcNow(),
                clock.GetTimestamp()
            );
        }
    }

    /// <returns>The complete report.</returns>
    public async Task<DiagnosticReport> RunToEndAsync(CancellationToken cancellationToken) =>
        await RunAsync(cancellationToken).LastAsync(cancellationToken);

    private static IEnumerable<DiagnosticCheck> Chain(FreeScoutRun run, LineChecks line, ConsoleChecks console) =>
        [
            new("key_set", "FreeScout key set", run.KeySetAsync),
            new("freescout_answers", "FreeScout answers", run.AnswersAsync, "key_set"),
            new("key_valid", "FreeScout key valid", run.KeyValidAsync, "freescout_answers"),
            new("mailbox_id", "Mailbox id set", run.MailboxIdAsync),
            new("mailbox_exists", "Mailbox exists", run.MailboxExistsAsync, "key_valid", "mailbox_id"),
            new("tags_module", "Tags module", run.TagsModuleAsync, "key_valid"),
            new("user_id", "User id valid", run.UserIdAsync, "key_valid"),
            new("webhook", "FreeScout webhook", run.WebhookAsync, "key_valid"),
            new("hooks", "Outputs", line.HooksAsync),
            new("last_emit", "Last alert sent", line.LastEmitAsync, "database", "leader", "hooks"),
            new("last_dm", "Last DM", line.LastMessageAsync, "database"),
            new("last_ticket", "Last ticket", line.LastTicketAsync, "database", "mailbox_exists"),
            new("database", "Database and schema", console.DatabaseAsync),
            new("leader", "Leader and replicas", console.LeaderAsync, "database"),
            new("flags", "Flag propagation", console.FlagsAsync, "database"),
            new("clock", "Clock skew", run.ClockAsync, "freescout_answers"),
            new("parked_alerts", "Parked alerts", line.ParkedAsync, "database"),
            new("unstable_producers", "Unstable senders", line.UnstableAsync, "database"),
            new("flood_breaker", "Flood breaker", line.FloodAsync, "database"),
            new("circuit", "FreeScout calls", run.CircuitAsync),
            new("encryption", "Encrypted connections", console.EncryptionAsync),
        ];

    private async Task<Finding> AskAsync(
        DiagnosticCheck check,
        List<DiagnosticCheck> chain,
        Dictionary<string, TaskCompletionSource<Finding>> known
    )
    {
        foreach (var before in check.After)
        {
            if ((await known[before].Task).State is DiagnosticState.Failed or DiagnosticState.NotKnown or DiagnosticState.NotReached)
            {
                return new(DiagnosticState.NotReached, $"Skipped until “{chain.Find(one => one.Key == before)!.Name}” passes.");
            }
        }

        using var bound = new CancellationTokenSource();
        try
        {
            // On its own thread, because SQLite's calls block.
            return await Task.Run(() => check.AskAsync(bound.Token), bound.Token).WaitAsync(Bound, clock);
        }
        catch (TimeoutException)
        {
            return new(DiagnosticState.NotKnown, string.Create(CultureInfo.InvariantCulture, $"No answer within {Bound.TotalSeconds} s."));
        }
#pragma warning disable CA1031 // a bug in one check must not hide the others
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return new(DiagnosticState.NotKnown, $"The check failed ({exception.GetBaseException().GetType().Name}).");
        }
        finally
        {
            await bound.CancelAsync();
        }
    }

    private DiagnosticStep StepOf(DiagnosticCheck check, Finding finding)
    {
        // Checks without a time of their own count from when this process first saw the state.
        var seen = _since.AddOrUpdate(
            check.Key,
            _ => (finding.State, clock.GetUtcNow()),
            (_, before) => before.State == finding.State ? before : (finding.State, clock.GetUtcNow())
        );
        return new(check.Key, check.Name, finding.State, finding.Seen, finding.Since ?? seen.Since, finding.Next, finding.Runbook);
    }
}
