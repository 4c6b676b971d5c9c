using System.Text.Json.Nodes;

namespace AutoTicket.Sandbox;

/// <summary>The routes under <c>/api/conversations</c>.</summary>
internal sealed class ConversationsApi(FreeScoutStandIn freeScout, FreeScoutStore store, FreeScoutActions actions)
{
    private static readonly string[] Threads = ["threads"];
    private readonly FreeScoutJson _json = new(store);

    public Answer Handle(RecordedRequest request, string[] path) =>
        (request.Method, path) switch
        {
            ("GET", []) => List(request),
            ("POST", []) => Create(request),
            ("GET", [var id]) => On(id, conversation => Answer.Json(200, _json.Conversation(conversation, Embed(request) ?? Threads))),
            ("PUT", [var id]) => On(id, conversation => Update(conversation, request.Json())),
            ("DELETE", [var id]) => On(
                id,
                conversation => store.Remove(conversation.Id) ? FreeScoutApi.NoContent() : FreeScoutApi.NotFound()
            ),
            ("GET", [var id, "timelogs"]) => On(id, _ => FreeScoutApi.Page(request, "timelogs", [])),
            ("POST", [var id, "threads"]) => On(id, conversation => AddThread(conversation, request.Json())),
            ("PUT", [var id, "tags"]) => freeScout.Behavior.TagsModule
                ? On(id, conversation => SetTags(conversation, request.Json()))
                : NoTagsModule(),
            _ => FreeScoutApi.MethodNotAllowed(),
        };

    public static Answer NoTagsModule() => new ApiError("tags", "Tags module is not installed or not activated").ToAnswer();

    // Unlike GET of one conversation, a list has threads and tags only if requested.
    private Answer List(RecordedRequest request)
    {
        var embed = Embed(request) ?? [];
        return FreeScoutApi.Page(
            request,
            "conversations",
            ConversationQuery.Select(request, store, freeScout.Behavior).Select(row => _json.Conversation(row, embed)),
            freeScout.Behavior.MaxPageSize
        );
    }

    private Answer Create(RecordedRequest request)
    {
        if (NewConversation.Read(request.Json(), store, out var draft) is { } error)
        {
            return error.ToAnswer();
        }

        var conversation = actions.Create(draft!);
        freeScout.CountCreated();
        var answer = freeScout.Behavior.CreateAnswersWithBody
            ? Answer.Json(201, _json.Conversation(conversation, Threads))
            : new Answer(201, "text/html; charset=UTF-8");
        return answer.With("Resource-ID", $"{conversation.Id}");
    }

    // Fields are applied in the order of the request.
    private Answer Update(SandboxConversation conversation, JsonObject body)
    {
        var (id, user) = (conversation.Id, (int?)body.Number("byUser"));
        if (
            (body.ContainsKey("status") || body.ContainsKey("assignTo") || body.ContainsKey("mailboxId"))
            && (user is null || FreeScoutSeed.FindUser(user.Value) is null)
        )
        {
            return new ApiError("byUser", "byUser parameter is required.").ToAnswer();
        }

        if (body.ContainsKey("status") && body.Text("status") is not ("active" or "pending" or "closed" or "spam"))
        {
            return new ApiError("status", "Status must be active, pending, closed or spam.").ToAnswer();
        }

        if (body.ContainsKey("mailboxId") && (body.Number("mailboxId") is not { } mailbox || store.FindMailbox(mailbox) is null))
        {
            return new ApiError("mailboxId", "Mailbox not found.").ToAnswer();
        }

        if (body.Number("assignTo") is { } assignee && assignee != FreeScoutActions.Nobody && FreeScoutSeed.FindUser(assignee) is null)
        {
            return new ApiError("assignTo", "User not found.").ToAnswer();
        }

        foreach (var (field, _) in body)
        {
            _ = field switch
            {
                "status" => actions.SetStatus(id, body.Text("status")!, user),
                "assignTo" => actions.Assign(id, (int?)body.Number("assignTo"), user),
                "mailboxId" => actions.Move(id, (int)body.Number("mailboxId")!, user),
                "subject" => actions.Rename(id, body.Text("subject") ?? conversation.Subject),
                _ => false,
            };
        }

        return FreeScoutApi.NoContent();
    }

    private Answer AddThread(SandboxConversation conversation, JsonObject body) =>
        NewThread.Read(body, "", store, out var thread) is { } error
            ? error.ToAnswer()
            : Answer.Json(201, null).With("Resource-ID", $"{actions.AddThread(conversation.Id, thread!)?.Id}") with
            {
                Body = null,
            };

    private Answer SetTags(SandboxConversation conversation, JsonObject body)
    {
        if (body["tags"] is not JsonArray tags)
        {
            return new ApiError("tags", "Tags are required.").ToAnswer();
        }

        store.SetTags(conversation.Id, tags.Select(tag => tag?.ToString() ?? ""));
        return FreeScoutApi.NoContent();
    }

    private Answer On(string id, Func<SandboxConversation, Answer> act) =>
        FreeScoutApi.Id(id) is { } number && store.Find(number) is { } conversation ? act(conversation) : FreeScoutApi.NotFound();

    private static string[]? Embed(RecordedRequest request) => request.Query("embed")?.Split(',', StringSplitOptions.TrimEntries);
}
