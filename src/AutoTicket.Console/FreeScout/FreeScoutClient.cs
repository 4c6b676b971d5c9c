using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Polly.CircuitBreaker;
using Polly.Timeout;

namespace AutoTicket.FreeScout;

/// <summary>The part of FreeScout's REST API that the console needs. A failure of FreeScout or the network is a return value, a WARNING and
/// a state of <see cref="FreeScoutHealth"/>, never an exception.</summary>
internal sealed partial class FreeScoutClient(
    IHttpClientFactory http,
    IOptions<FreeScoutOptions> options,
    FreeScoutHealth health,
    TimeProvider clock,
    ILogger<FreeScoutClient> logger
)
{
    public const string HttpName = "freescout";

    /// <summary>How many connections to FreeScout are open, and so how many tickets are filed, at a time.</summary>
    public const int MostAtOnce = 32;

    private const int PageSize = 100;
    private const int MostPages = 100;
    private const int MostLogged = 1_000;
    private static readonly TimeSpan LogEvery = TimeSpan.FromMinutes(1);

    private static readonly Histogram<double> Calls = Telemetry.Seconds(
        "autoticket.freescout.call.duration",
        "Calls of FreeScout with their retries, by method and outcome."
    );

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { AllowDuplicateProperties = true };

    private readonly ConcurrentDictionary<string, DateTimeOffset> _logged = new();

    private sealed record Reply(int Status, bool IsJson, ReadOnlyMemory<byte> Body, string? ResourceId, TimeSpan? RetryAfter);

    /// <summary>Why no call can be made now; null: calls are possible.</summary>
    public FreeScoutFailure? CallsBlockedBy =>
        options.Value.Missing().ToList() is { Count: > 0 } missing
            ? new(FreeScoutFailureKind.NotConfigured, $"Filing is not set up: {string.Join(" and ", missing)} not set.", WasSent: false)
        : health.IsHeld
            ? new(
                FreeScoutFailureKind.RateLimited,
                $"FreeScout asked for a pause until {health.HoldUntil:HH:mm:ss} UTC.",
                WasSent: false,
                health.HoldUntil - clock.GetUtcNow()
            )
        : null;

    /// <summary>Creates a conversation in the operations mailbox. It never posts twice: after a failure with
    /// <see cref="FreeScoutFailure.MayHaveCreated"/> the caller must look up the marker before it posts again.</summary>
    /// <param name="sendUntil">Checked right before the body is sent; after this time the call is stopped.</param>
    public async Task<FreeScoutAnswer<Conversation>> CreateAsync(
        ConversationDraft draft,
        DateTimeOffset sendUntil,
        CancellationToken cancellationToken
    )
    {
        // `imported` stops all mail, also to agents, whom Slack notifies. `status`, because the default may be pending.
        // A customer's thread, because FreeScout does not count notes.
        var email = options.Value.Customer(draft.Surface);
        var answer = await SendAsync(
            HttpMethod.Post,
            "conversations",
            new
            {
                type = "email",
                mailboxId = options.Value.MailboxId,
                subject = draft.Subject,
                customer = new
                {
                    email,
                    firstName = "Ops",
                    lastName = email?.Contains($"+{draft.Surface}@", StringComparison.Ordinal) == true
                        ? $"Console {draft.Surface}"
                        : "Console",
                },
                threads = new[] { new { type = "customer", text = draft.Html } },
                imported = true,
                status = "active",
            },
            sendUntil,
            cancellationToken
        );
        if (answer.Failure is { } failure)
        {
            return failure;
        }

        var reply = answer.Value!;
        var body = Parse<Conversation>(reply);
        if (
            reply.Status is 200 or 201
            && (long.TryParse(reply.ResourceId, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : body?.Id)
                is > 0
                    and { } made
        )
        {
            // Newer versions return the conversation. With older ones its number takes another call: it equals the id only by default.
            var known = body?.Id == made && body.Number is not null ? body : (await FindAsync(made, cancellationToken)).Value;
            return (known ?? new Conversation()) with { Id = made };
        }

        return Fail(
            FreeScoutFailureKind.BadAnswer,
            $"FreeScout answered {reply.Status} without saying which ticket it created.",
            HttpMethod.Post,
            "conversations"
        );
    }

    /// <returns>A conversation by its id. Neither value nor failure: it was deleted for good.</returns>
    public async Task<FreeScoutAnswer<Conversation?>> FindAsync(long id, CancellationToken cancellationToken, bool withThreads = false)
    {
        var answer = await SendAsync(
            HttpMethod.Get,
            $"conversations/{id}?embed={(withThreads ? "tags,threads" : "tags")}",
            null,
            null,
            cancellationToken,
            acceptNotFound: true
        );
        if (answer.Failure is { } failure)
        {
            return failure;
        }

        if (answer.Value!.Status == 404)
        {
            // With the API module off every path returns 404. Only if the API answers, the ticket is gone.
            var probe = await SendAsync(HttpMethod.Get, "mailboxes?pageSize=1", null, null, cancellationToken);
            return probe.Failure is { } off ? off : new FreeScoutAnswer<Conversation?>(null, null);
        }

        return Parse<Conversation>(answer.Value) is { Id: > 0 } conversation && conversation.Id == id
            ? conversation
            : Fail(
                FreeScoutFailureKind.BadAnswer,
                "FreeScout returned another conversation than requested.",
                HttpMethod.Get,
                $"conversations/{id}"
            );
    }

    /// <returns>Every conversation of any mailbox and status whose subject contains <paramref name="marker"/>, oldest first.</returns>
    public async Task<FreeScoutAnswer<List<Conversation>>> FindByMarkerAsync(string marker, CancellationToken cancellationToken)
    {
        // All statuses, because the default differs between versions. The state, because the default includes deleted ones.
        var answer = await ListAsync<Conversation>(
            $"conversations?state=published&status=active,pending,closed,spam&subject={Uri.EscapeDataString(marker)}&embed=tags",
            "conversations",
            cancellationToken
        );
        if (answer.Failure is { } failure)
        {
            return failure;
        }

        return answer
            .Value!.Where(conversation => conversation.Subject?.Contains(marker, StringComparison.OrdinalIgnoreCase) == true)
            .OrderBy(conversation => conversation.Id)
            .ToList();
    }

    /// <returns>The operations mailbox's conversations with this tag.</returns>
    /// <param name="updatedSince">Only those changed since then, of any status; null: all open ones.</param>
    public async Task<FreeScoutAnswer<List<Conversation>>> ListTaggedAsync(
        string tag,
        DateTimeOffset? updatedSince,
        CancellationToken cancellationToken
    )
    {
        var status = updatedSince is null ? "active,pending" : "active,pending,closed,spam";
        var since = updatedSince is null ? "" : $"&updatedSince={updatedSince:yyyy-MM-dd'T'HH:mm:ss'Z'}";
        var answer = await ListAsync<Conversation>(
            $"conversations?mailboxId={options.Value.MailboxId}&status={status}&state=published&tag={Uri.EscapeDataString(tag)}{since}"
                + "&embed=tags&sortField=createdAt&sortOrder=asc",
            "conversations",
            cancellationToken
        );
        // FreeScout returns an empty list for a missing mailbox, too.
        var isDoubtful =
            answer.Value is { Count: 0 } && updatedSince is null || health.Failure?.Kind == FreeScoutFailureKind.MailboxMissing;
        return answer.Failure is null && isDoubtful && await FindMailboxAsync(cancellationToken) is { } missing ? missing : answer;
    }

    /// <returns>Null: the operations mailbox exists.</returns>
    private async Task<FreeScoutFailure?> FindMailboxAsync(CancellationToken cancellationToken)
    {
        var (mailboxes, failure) = await ListAsync<Mailbox>("mailboxes", "mailboxes", cancellationToken);
        if (failure is null && mailboxes!.All(mailbox => mailbox.Id != options.Value.MailboxId))
        {
            return Fail(
                FreeScoutFailureKind.MailboxMissing,
                $"FreeScout has no mailbox {options.Value.MailboxId}: it was deleted, or FREESCOUT_OPERATIONS_MAILBOX_ID is wrong.",
                HttpMethod.Get,
                "mailboxes"
            );
        }

        if (failure is null)
        {
            health.Succeeded(FreeScoutCall.FindMailbox);
        }

        return failure;
    }

    private sealed record Mailbox(long Id);

    /// <summary>Adds tags to those of a conversation. It reads them first, because FreeScout's call replaces the whole list.</summary>
    /// <param name="instead">Removes the other tags with this prefix.</param>
    /// <returns>The conversation as it was read. Neither value nor failure: it was deleted for good.</returns>
    public async Task<FreeScoutAnswer<Conversation?>> AddTagsAsync(
        long id,
        IReadOnlyList<string> tags,
        CancellationToken cancellationToken,
        string? instead = null
    )
    {
        var found = await FindAsync(id, cancellationToken);
        if (found.Value is null)
        {
            return found;
        }

        var kept = found.Value.Tags.Where(tag => instead is null || !tag.StartsWith(instead, StringComparison.OrdinalIgnoreCase));
        var merged = kept.Union(tags, StringComparer.OrdinalIgnoreCase).ToList();
        if (merged.ToHashSet(StringComparer.OrdinalIgnoreCase).SetEquals(found.Value.Tags))
        {
            return found;
        }

        var reply = await SendAsync(HttpMethod.Put, $"conversations/{id}/tags", new { tags = merged }, null, cancellationToken);
        return reply.Failure is { } failure ? failure : found;
    }

    /// <summary>Changes a conversation's subject.</summary>
    /// <returns>Null: done.</returns>
    public async Task<FreeScoutFailure?> RenameAsync(long id, string subject, CancellationToken cancellationToken) =>
        (await SendAsync(HttpMethod.Put, $"conversations/{id}", new { subject }, null, cancellationToken)).Failure;

    /// <summary>Adds a note, which only agents see. It changes neither status nor assignee and sends no mail.</summary>
    /// <returns>Null: done.</returns>
    public async Task<FreeScoutFailure?> AddNoteAsync(long id, long user, string html, CancellationToken cancellationToken) =>
        (
            await SendAsync(
                HttpMethod.Post,
                $"conversations/{id}/threads",
                new
                {
                    type = "note",
                    text = html,
                    user,
                    imported = true,
                },
                null,
                cancellationToken
            )
        ).Failure;

    /// <summary>Adds the first thread to a conversation whose create was interrupted.</summary>
    /// <returns>Null: done.</returns>
    public async Task<FreeScoutFailure?> AddBodyAsync(long id, string html, CancellationToken cancellationToken) =>
        (
            await SendAsync(
                HttpMethod.Post,
                $"conversations/{id}/threads",
                new
                {
                    type = "customer",
                    text = html,
                    imported = true,
                },
                null,
                cancellationToken
            )
        ).Failure;

    /// <returns>The agent with this e-mail address. Neither value nor failure: there is none.</returns>
    public async Task<FreeScoutAnswer<Agent?>> FindAgentAsync(string email, CancellationToken cancellationToken)
    {
        var (users, failure) = await ListAsync<User>($"users?email={Uri.EscapeDataString(email)}", "users", cancellationToken);
        if (failure is not null)
        {
            return failure;
        }

        // Compared again, because a version that does not know the filter returns all agents.
        return users!.Find(user => email.Equals(user.Email?.Trim(), StringComparison.OrdinalIgnoreCase)) is { Id: > 0 } user
            ? new Agent(user.Id, Agent.NameOf(user.FirstName, user.LastName) ?? email, email)
            : new FreeScoutAnswer<Agent?>(null, null);
    }

    private sealed record User(long Id, string? FirstName, string? LastName, string? Email);

    /// <summary>Assigns a conversation to an agent, on behalf of that agent; idempotent.</summary>
    /// <returns>Null: done.</returns>
    public async Task<FreeScoutFailure?> AssignAsync(long id, long agent, CancellationToken cancellationToken) =>
        (await SendAsync(HttpMethod.Put, $"conversations/{id}", new { byUser = agent, assignTo = agent }, null, cancellationToken)).Failure;

    /// <summary>Closes a conversation on behalf of an agent; idempotent.</summary>
    /// <returns>Null: done.</returns>
    public async Task<FreeScoutFailure?> CloseAsync(long id, long byUser, CancellationToken cancellationToken) =>
        (await SendAsync(HttpMethod.Put, $"conversations/{id}", new { byUser, status = "closed" }, null, cancellationToken)).Failure;

    private async Task<FreeScoutAnswer<List<T>>> ListAsync<T>(string path, string name, CancellationToken cancellationToken)
        where T : class
    {
        var all = new List<T>();
        var next = path.Contains('?', StringComparison.Ordinal) ? '&' : '?';
        for (var number = 1; number <= MostPages; number++)
        {
            var answer = await SendAsync(HttpMethod.Get, $"{path}{next}page={number}&pageSize={PageSize}", null, null, cancellationToken);
            if (answer.Failure is { } failure)
            {
                return failure;
            }

            if (Parse<ListPage>(answer.Value!) is not { Page: not null } page)
            {
                return Fail(FreeScoutFailureKind.BadAnswer, $"FreeScout's response is not a list of {name}.", HttpMethod.Get, name);
            }

            var found = page.Embeds.List(name).Select(ParseRow<T>).OfType<T>().ToList();
            all.AddRange(found);
            if (found.Count == 0 || number >= page.Page.TotalPages)
            {
                break;
            }
        }

        return all;
    }

    private async Task<FreeScoutAnswer<Reply>> SendAsync(
        HttpMethod method,
        string path,
        object? body,
        DateTimeOffset? sendUntil,
        CancellationToken cancellationToken,
        bool acceptNotFound = false
    )
    {
        var begun = Stopwatch.GetTimestamp();
        var answer = await TrySendAsync(method, path, body, sendUntil, acceptNotFound, cancellationToken);
        if (answer.Failure?.Kind != FreeScoutFailureKind.NotConfigured)
        {
            var outcome = answer.Failure is { } failure ? JsonNamingPolicy.SnakeCaseLower.ConvertName($"{failure.Kind}") : "ok";
            Calls.Record(Stopwatch.GetElapsedTime(begun).TotalSeconds, new("method", method.Method), new("outcome", outcome));
        }

        return answer;
    }

    private async Task<FreeScoutAnswer<Reply>> TrySendAsync(
        HttpMethod method,
        string path,
        object? body,
        DateTimeOffset? sendUntil,
        bool acceptNotFound,
        CancellationToken cancellationToken
    )
    {
        var name = path.Split('?')[0];
        var isOneTicket = name.Contains('/', StringComparison.Ordinal);
        if (CallsBlockedBy is { } blocked)
        {
            return Fail(blocked, method, name);
        }

        using var content = body is null ? null : new TrackedContent(JsonSerializer.SerializeToUtf8Bytes(body, Json), sendUntil, clock);
        using var request = options.Value.Request(method, path);
        request.Content = content;
        try
        {
            using var client = http.CreateClient(HttpName);
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseContentRead, cancellationToken);
            var reply = new Reply(
                (int)response.StatusCode,
                response.Content.Headers.ContentType?.MediaType?.Contains("json", StringComparison.OrdinalIgnoreCase) == true,
                await response.Content.ReadAsByteArrayAsync(cancellationToken),
                response.Headers.TryGetValues("Resource-ID", out var ids)
                    ? ids.FirstOrDefault()
                    : response.Headers.Location?.OriginalString.TrimEnd('/').Split('/')[^1],
                response.Headers.RetryAfter is { } wait ? wait.Delta ?? wait.Date - clock.GetUtcNow() : null
            );
            var refusal = FreeScoutRefusals.Read(
                reply.Status,
                reply.IsJson,
                reply.Body,
                reply.RetryAfter,
                method,
                options.Value.WithoutKey,
                isOneTicket
            );
            if (refusal is not null && !(acceptNotFound && reply is { Status: 404, IsJson: true }))
            {
                return Fail(reply is { Status: 404, IsJson: true } ? NotFound(refusal, method, name) : refusal, method, name);
            }

            health.Succeeded(CallOf(method, name));
            return reply;
        }
        catch (TrackedContent.TooLateException)
        {
            return new FreeScoutFailure(
                FreeScoutFailureKind.TimedOut,
                "No time was left to send the request to FreeScout.",
                WasSent: false
            );
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Not reported to the health: the console cancelled the call. FreeScout's slowness shows in the call's own timeout.
            return new FreeScoutFailure(FreeScoutFailureKind.TimedOut, "FreeScout did not answer in time.", content?.WasSent ?? true);
        }
        catch (BrokenCircuitException)
        {
            var message = health.Failure is { IsOutage: true, Kind: not FreeScoutFailureKind.CircuitOpen } known
                ? known.Message
                : $"FreeScout can't be reached: its last calls failed ({health.OpenedBy}).";
            return Fail(FreeScoutFailureKind.CircuitOpen, message, method, name, wasSent: false);
        }
        catch (Exception exception) when (exception is TimeoutRejectedException or OperationCanceledException)
        {
            return Fail(FreeScoutFailureKind.TimedOut, "FreeScout did not answer in time.", method, name, content?.WasSent ?? true);
        }
        catch (OversizedAnswerException oversized) when (isOneTicket && method == HttpMethod.Get)
        {
            // People write and attach what they like: one ticket says nothing about the others.
            return Fail(
                new FreeScoutFailure(
                    FreeScoutFailureKind.Refused,
                    $"FreeScout's response about this ticket is {oversized.Message}: the console reads no more.",
                    WasSent: true,
                    IsOfRequest: true
                ),
                method,
                name
            );
        }
        catch (OversizedAnswerException oversized)
        {
            return Fail(FreeScoutFailureKind.BadAnswer, $"FreeScout's response is {oversized.Message}: that is not its API.", method, name);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            // A request with a body knows whether it was sent; HttpClient's error codes don't tell.
            var sent =
                content?.WasSent
                ?? exception
                    is not HttpRequestException
                    {
                        HttpRequestError: HttpRequestError.ConnectionError
                            or HttpRequestError.NameResolutionError
                            or HttpRequestError.SecureConnectionError,
                    };
            return sent
                ? Fail(FreeScoutFailureKind.Broken, $"FreeScout can't be reached: {Reason(exception, options.Value)}", method, name)
                : Fail(
                    FreeScoutFailureKind.Unreachable,
                    $"FreeScout can't be reached ({Reason(exception, options.Value)}). Check that it is running, and FREESCOUT_BASE_URL.",
                    method,
                    name,
                    wasSent: false
                );
        }
    }

    /// <summary>The meaning of the API's 404 depends on the path.</summary>
    private static FreeScoutFailure NotFound(FreeScoutFailure refusal, HttpMethod method, string path) =>
        path switch
        {
            // A deleted conversation says nothing about the mailbox or the API module.
            _ when path.StartsWith("conversations/", StringComparison.Ordinal) => new(
                FreeScoutFailureKind.Refused,
                $"FreeScout no longer has conversation {path.Split('/')[1]} (404).",
                WasSent: true,
                IsOfRequest: true
            ),
            // A workflow may delete or move a new conversation at once: the create then returns 404 although it succeeded.
            "conversations"
                when method == HttpMethod.Post && !refusal.Message.Contains("mailbox not found", StringComparison.OrdinalIgnoreCase) =>
                refusal with
                {
                    IsOfRequest = true,
                    IsLost = true,
                },
            _ => refusal,
        };

    private static T? Parse<T>(Reply reply)
        where T : class
    {
        try
        {
            return reply.IsJson && reply.Body.Length > 0 ? JsonSerializer.Deserialize<T>(reply.Body.Span, Json) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <returns>A row of a list; null: it can't be read, and is left out.</returns>
    private static T? ParseRow<T>(JsonElement row)
        where T : class
    {
        try
        {
            return row.Deserialize<T>(Json);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    internal static string Reason(Exception exception, FreeScoutOptions options) =>
        CleanText.Cut(HiddenCharacter.Blank(options.WithoutKey(exception.GetBaseException().Message)), 120);

    private static FreeScoutCall CallOf(HttpMethod method, string path) =>
        method == HttpMethod.Get ? FreeScoutCall.Read
        : path == "conversations" ? FreeScoutCall.Create
        : FreeScoutCall.Change;

    private FreeScoutFailure Fail(
        FreeScoutFailureKind kind,
        string message,
        HttpMethod method,
        string path,
        bool wasSent = true,
        TimeSpan? retryAfter = null
    ) => Fail(new FreeScoutFailure(kind, message, wasSent, retryAfter), method, path);

    private FreeScoutFailure Fail(FreeScoutFailure failure, HttpMethod method, string path)
    {
        failure = failure with { Message = options.Value.WithoutKey(failure.Message) };
        // A call that the console held back says nothing about FreeScout. An open circuit does if the failures that opened it were retries
        // of a call that is not over yet; unless another call has closed it meanwhile.
        if (
            failure.Kind == FreeScoutFailureKind.CircuitOpen
                ? health.IsCircuitOpen && health.Failure is not { IsOutage: true }
                : failure is not { Kind: FreeScoutFailureKind.RateLimited, WasSent: false }
        )
        {
            health.Failed(failure, failure.Kind == FreeScoutFailureKind.CircuitOpen ? FreeScoutCall.Read : CallOf(method, path));
        }

        if (ShouldLog(failure, method, path))
        {
            Log.Degraded(logger, failure.Kind, method.Method, path, failure.Message);
        }

        return failure;
    }

    /// <summary>A failure is logged once a minute: an outage for each kind, a rejected request for each path.</summary>
    private bool ShouldLog(FreeScoutFailure failure, HttpMethod method, string path)
    {
        if (_logged.Count > MostLogged)
        {
            _logged.Clear();
        }

        var now = clock.GetUtcNow();
        var key = failure.IsOfRequest ? $"{method} {path}" : $"{failure.Kind}";
        if (_logged.TryGetValue(key, out var at) && now - at < LogEvery && now >= at)
        {
            return false;
        }

        _logged[key] = now;
        return true;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "freescout degraded cause={Cause} call={Method} /api/{Path}: {Message}")]
        public static partial void Degraded(ILogger logger, FreeScoutFailureKind cause, string method, string path, string message);
    }
}
