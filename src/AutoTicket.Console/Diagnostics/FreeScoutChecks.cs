using System.Globalization;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.FreeScout;
using AutoTicket.Intake;
using Microsoft.Extensions.Options;

namespace AutoTicket.Diagnostics;

/// <summary>Checks of FreeScout.</summary>
internal sealed class FreeScoutChecks(FreeScoutProbe probe, FreeScoutHealth health, IOptions<FreeScoutOptions> options, TimeProvider clock)
{
    public FreeScoutRun Begin() => new(probe, health, options.Value, clock);
}

/// <summary>One run of the checks. <see cref="AnswersAsync"/> and <see cref="KeyValidAsync"/> share one response of FreeScout.</summary>
internal sealed class FreeScoutRun(FreeScoutProbe probe, FreeScoutHealth health, FreeScoutOptions options, TimeProvider clock)
{
    private static readonly TimeSpan AskTimeout = TimeSpan.FromSeconds(1.2);

    /// <summary>A larger difference of the clocks is a warning. FreeScout's times are whole seconds.</summary>
    private static readonly TimeSpan MostSkew = TimeSpan.FromSeconds(5);

    private readonly Lazy<Task<FreeScoutProbed>> _mailboxes = new(async () =>
    {
        using var timeout = new CancellationTokenSource(AskTimeout, clock);
        return await probe.AskAsync("mailboxes?page=1&pageSize=1", timeout.Token);
    });

    public Task<Finding> KeySetAsync(CancellationToken cancellationToken)
    {
        List<string> missing = [.. options.Missing().Where(variable => variable != "FREESCOUT_OPERATIONS_MAILBOX_ID")];
        return Task.FromResult(
            missing.Count == 0
                ? Finding.Ok($"FREESCOUT_API_KEY is set, and FREESCOUT_BASE_URL is {options.WebUrl}.")
                : Finding.Failed(
                    $"{string.Join(" and ", missing)} not set.",
                    $"Get the value from the vault and set {string.Join(" and ", missing)}; never print it.",
                    Runbooks.NoTickets,
                    Stops.Tickets,
                    cause: $"{string.Join(" and ", missing)} not set"
                )
        );
    }

    public async Task<Finding> AnswersAsync(CancellationToken cancellationToken)
    {
        if (health.IsHeld)
        {
            return new(
                DiagnosticState.NotKnown,
                $"FreeScout asked for a pause until {When.Clock(health.HoldUntil)}.",
                Next: "Nothing: the console waits as long as FreeScout asks, 60 s at most.",
                Runbook: Runbooks.FreeScoutDown
            );
        }

        var answer = await _mailboxes.Value;
        if (
            answer.Failure is null
            && health.ReadFailure?.Kind
                is FreeScoutFailureKind.KeyRejected
                    or FreeScoutFailureKind.ApiOff
                    or FreeScoutFailureKind.UntrustedHost
        )
        {
            // A person fixed it. Don't wait for the next retry, which comes late after such a failure.
            health.Succeeded(FreeScoutCall.Read);
        }

        if (
            answer.Failure is not { } failure
            || !(
                failure.IsOutage
                || failure.Kind is FreeScoutFailureKind.RateLimited or FreeScoutFailureKind.UntrustedHost or FreeScoutFailureKind.Blocked
            )
        )
        {
            return Finding.Ok($"FreeScout answers ({answer.Status}).", health.Failure is null ? health.WorkedAt : null);
        }

        var since = health.FailingSince ?? clock.GetUtcNow();
        return failure.Kind switch
        {
            FreeScoutFailureKind.RateLimited => new(
                DiagnosticState.NotKnown,
                failure.Message,
                since,
                "Nothing: the console waits as long as FreeScout asks, 60 s at most.",
                Runbooks.FreeScoutDown
            ),
            FreeScoutFailureKind.UntrustedHost => Finding.Failed(
                failure.Message,
                "Set FREESCOUT_BASE_URL to the address in FreeScout's APP_URL, or add the host to APP_TRUSTED_HOSTS in FreeScout's .env.",
                Runbooks.NoTickets,
                Stops.Tickets,
                since,
                $"FreeScout does not serve the host of FREESCOUT_BASE_URL since {When.Clock(since)}"
            ),
            FreeScoutFailureKind.Blocked => Finding.Failed(
                failure.Message,
                "Allow the console's calls of /api/ in the proxy or firewall in front of FreeScout. Their agent is AutoTicket-Console.",
                Runbooks.NoTickets,
                Stops.Tickets,
                since,
                $"a proxy or firewall in front of FreeScout blocks the console since {When.Clock(since)}"
            ),
            _ => Finding.Failed(
                failure.Message,
                "Get FreeScout back. While automatic tickets are on, active alerts get theirs then; clicks must be repeated.",
                Runbooks.FreeScoutDown,
                Stops.Tickets,
                since,
                $"FreeScout is down since {When.Clock(since)} ({CauseOf(failure)})"
            ),
        };
    }

    /// <summary>The message without what the verdict says already: of "FreeScout is down (503)." the "503".</summary>
    private static string CauseOf(FreeScoutFailure failure)
    {
        const string down = "FreeScout is down (";
        var cause = failure.Message.TrimEnd('.');
        return cause.StartsWith(down, StringComparison.Ordinal) ? cause[down.Length..].TrimEnd(')') : cause;
    }

    public async Task<Finding> KeyValidAsync(CancellationToken cancellationToken)
    {
        var answer = await _mailboxes.Value;
        var since = health.Failure?.Kind == answer.Failure?.Kind ? health.KindSince : clock.GetUtcNow();
        return answer.Failure switch
        {
            null => Finding.Ok("FreeScout accepts the key (200)."),
            { Kind: FreeScoutFailureKind.KeyRejected } failure => Finding.Failed(
                failure.Message,
                "Create a new key in FreeScout, store it in the vault, set FREESCOUT_API_KEY and deploy.",
                Runbooks.NoTickets,
                Stops.Tickets,
                since,
                $"the FreeScout key was rejected at {When.Clock(since)}"
            ),
            { Kind: FreeScoutFailureKind.ScopeMissing } failure => Finding.Failed(
                failure.Message,
                "Create a key with full access in FreeScout: Manage → API & Webhooks.",
                Runbooks.NoTickets,
                Stops.Tickets,
                since,
                $"the FreeScout key lacks the scope since {When.Clock(since)}"
            ),
            { Kind: FreeScoutFailureKind.ApiOff } failure => Finding.Failed(
                failure.Message,
                "Switch on the API & Webhooks module in FreeScout, and check its license.",
                Runbooks.NoTickets,
                Stops.Tickets,
                since,
                $"FreeScout's API module is off since {When.Clock(since)}"
            ),
            { } failure => Finding.Failed(
                failure.Message,
                "Read FreeScout's message and its log.",
                Runbooks.NoTickets,
                Stops.Tickets,
                since
            ),
        };
    }

    public Task<Finding> MailboxIdAsync(CancellationToken cancellationToken) =>
        Task.FromResult(
            options.MailboxId is { } id
                ? Finding.Ok($"FREESCOUT_OPERATIONS_MAILBOX_ID is {id}.")
                : Finding.Failed(
                    "FREESCOUT_OPERATIONS_MAILBOX_ID is not set.",
                    "Create the operations mailbox in FreeScout and set the variable to its number.",
                    Runbooks.NoTickets,
                    Stops.Tickets,
                    cause: "FREESCOUT_OPERATIONS_MAILBOX_ID is not set"
                )
        );

    public async Task<Finding> MailboxExistsAsync(CancellationToken cancellationToken)
    {
        var (exists, failure) = await probe.HasMailboxAsync(options.MailboxId!.Value, cancellationToken);
        if (exists && health.Failure?.Kind == FreeScoutFailureKind.MailboxMissing)
        {
            health.Succeeded(FreeScoutCall.FindMailbox);
        }

        return failure is not null ? Unknown(failure)
            : exists ? Finding.Ok($"FreeScout has the mailbox {options.MailboxId}.")
            : Finding.Failed(
                $"FreeScout has no mailbox {options.MailboxId}: it was deleted, or the number is wrong.",
                "Find the operations mailbox's number in FreeScout and set FREESCOUT_OPERATIONS_MAILBOX_ID.",
                Runbooks.NoTickets,
                Stops.Tickets,
                cause: $"FreeScout has no mailbox {options.MailboxId}"
            );
    }

    public async Task<Finding> TagsModuleAsync(CancellationToken cancellationToken) =>
        await probe.AskAsync("tags?page=1&pageSize=1", cancellationToken) switch
        {
            { Failure: null } => Finding.Ok("FreeScout has the Tags module."),
            // Of a key, a proxy or a limit.
            { Failure: { } failure, Status: not (>= 400 and < 500) or 401 or 403 or 408 or 429 } => Unknown(failure),
            _ => Finding.Warning(
                "FreeScout has no Tags module: tickets are filed without tags, and the list of open tickets stays empty.",
                "Switch on the Tags module in FreeScout; the console adds the missing tags.",
                Runbooks.NoTickets
            ),
        };

    public async Task<Finding> UserIdAsync(CancellationToken cancellationToken)
    {
        if (options.UserId is not { } id)
        {
            return Finding.Warning(
                "FREESCOUT_USER_ID is not set: no notes are written.",
                "Set it to the number of the agent on whose behalf the console writes.",
                Runbooks.NoTickets
            );
        }

        return await probe.AskAsync(string.Create(CultureInfo.InvariantCulture, $"users/{id}"), cancellationToken) switch
        {
            { Failure: null } => await MayUseMailboxAsync(id, cancellationToken),
            { Status: 404 } => Finding.Failed(
                $"FreeScout has no user {id}: no notes can be written. Tickets are still filed.",
                "Set FREESCOUT_USER_ID to the number of an existing agent.",
                Runbooks.NoTickets,
                Stops.Nothing
            ),
            { Failure: { } failure } => Unknown(failure),
        };
    }

    /// <summary>FreeScout rejects notes of an agent without access to the mailbox. Old versions ignore the filter and list all
    /// mailboxes.</summary>
    private async Task<Finding> MayUseMailboxAsync(long id, CancellationToken cancellationToken)
    {
        var path = string.Create(CultureInfo.InvariantCulture, $"mailboxes?userId={id}&page=1&pageSize=100");
        var answer = await probe.AskAsync(path, cancellationToken);
        var ids = List(answer.Body, "mailboxes")
            .Select(mailbox => mailbox.TryGetProperty("id", out var its) && its.TryGetInt64(out var number) ? number : 0)
            .ToList();
        return answer.Failure is { } failure ? Unknown(failure)
            : options.MailboxId is { } mailbox && ids.Count < 100 && !ids.Contains(mailbox)
                ? Finding.Warning(
                    $"The user {id} may not use the mailbox {mailbox}: FreeScout rejects its notes and resolutions.",
                    "Give the agent access in FreeScout: Mailbox → Permissions.",
                    Runbooks.NoTickets
                )
            : Finding.Ok($"FreeScout has the user {id}, who may use the mailbox.");
    }

    /// <summary>A webhook only makes changes visible sooner: a missing one is fine, a failing one is a warning.</summary>
    public async Task<Finding> WebhookAsync(CancellationToken cancellationToken)
    {
        if (options.WebhookSecret is not { Length: > 0 })
        {
            return Finding.Ok("FREESCOUT_WEBHOOK_SECRET is not set: changes in FreeScout are seen at the next sync.");
        }

        var answer = await probe.AskAsync("webhooks?page=1&pageSize=100", cancellationToken);
        var ours = List(answer.Body, "webhooks")
            .Where(hook => hook.Text("url")?.EndsWith("/api/freescout/webhook", StringComparison.OrdinalIgnoreCase) == true)
            .ToList();
        return answer.Failure is { } failure ? Unknown(failure)
            : ours.Select(hook => hook.Text("lastRunError")).FirstOrDefault(error => !string.IsNullOrWhiteSpace(error)) is { } error
                ? Finding.Warning(
                    $"FreeScout's last call of the console's webhook failed: {AlertText.Cut(AlertText.Line(error), 200)}",
                    "Check that FreeScout can reach the console's address, and FREESCOUT_WEBHOOK_SECRET.",
                    Runbooks.NoTickets
                )
            : Finding.Ok(
                ours.Count > 0
                    ? "FreeScout calls the console when a ticket changes."
                    : "FreeScout has no webhook to this console: changes are seen at the next sync."
            );
    }

    private static IEnumerable<JsonElement> List(JsonElement body, string name) =>
        body.ValueKind == JsonValueKind.Object && body.TryGetProperty("_embedded", out var embedded)
            ? embedded.List(name).Where(row => row.ValueKind == JsonValueKind.Object)
            : [];

    public async Task<Finding> ClockAsync(CancellationToken cancellationToken) =>
        (await _mailboxes.Value).Ahead switch
        {
            null => new(DiagnosticState.NotKnown, "FreeScout's response has no date."),
            { } ahead when ahead.Duration() <= MostSkew => Finding.Ok(
                $"The console's clock and FreeScout's differ by less than {Math.Ceiling(ahead.Duration().TotalSeconds)} s."
            ),
            { } ahead => Finding.Warning(
                $"The console's clock is {Math.Round(ahead.Duration().TotalSeconds)} s "
                    + $"{(ahead > TimeSpan.Zero ? "ahead of" : "behind")} FreeScout's.",
                "Correct the wrong clock: the database's, which the console uses, or FreeScout's.",
                Runbooks.Clocks
            ),
        };

    public Task<Finding> CircuitAsync(CancellationToken cancellationToken) =>
        Task.FromResult(
            health.IsCircuitOpen
                ? Finding.Warning(
                    $"Calls paused for {options.BreakDuration.TotalSeconds:0.#} s after repeated failures.",
                    "Nothing: calls resume when FreeScout answers.",
                    Runbooks.FreeScoutDown,
                    health.FailingSince
                )
                : Finding.Ok("OK (not tripped).")
        );

    private static Finding Unknown(FreeScoutFailure failure) =>
        new(DiagnosticState.NotKnown, failure.Message, Next: "Run again.", Runbook: Runbooks.FreeScoutDown);
}
