using System.Text;
using Microsoft.AspNetCore.Http;

namespace AutoTicket.Sandbox;

/// <summary>The documented routes under <c>/freescout/api</c>.</summary>
internal sealed class FreeScoutApi(FreeScoutStandIn freeScout, FreeScoutStore store, FreeScoutActions actions)
{
    private const int DefaultPageSize = 50;
    private readonly FreeScoutJson _json = new(store);
    private readonly ConversationsApi _conversations = new(freeScout, store, actions);

    public Answer Handle(RecordedRequest request)
    {
        if (!IsTrustedHost(request))
        {
            return UntrustedHost(request);
        }

        if (!IsAuthorized(request))
        {
            return Answer.Json(401, new { message = "Not Authorized" });
        }

        var path = request.Path[FreeScoutStandIn.ApiPath.Length..].Split('/', StringSplitOptions.RemoveEmptyEntries);
        return (request.Method, path) switch
        {
            (_, ["conversations", .. var rest]) => _conversations.Handle(request, rest),
            ("GET", ["tags"]) => Tags(request),
            ("GET", ["mailboxes"]) => Page(
                request,
                "mailboxes",
                store.Mailboxes.OrderBy(mailbox => mailbox.Id).Select(FreeScoutJson.Mailbox)
            ),
            ("GET", ["mailboxes", var id]) when freeScout.Behavior.MailboxById => FindMailbox(id) is { } mailbox
                ? Answer.Json(200, FreeScoutJson.Mailbox(mailbox))
                : NotFound(),
            ("GET", ["mailboxes", var id, "folders"]) => FindMailbox(id) is { } mailbox
                ? Page(request, "folders", _json.Folders(mailbox.Id))
                : NotFound(),
            ("GET", ["users"]) => Page(
                request,
                "users",
                FreeScoutSeed.Users.Where(user => Like(request, "email", user.Email)).Select(FreeScoutJson.User)
            ),
            ("GET", ["users", var id]) => Id(id) is { } user && FreeScoutSeed.FindUser(user) is { } found
                ? Answer.Json(200, FreeScoutJson.User(found))
                : NotFound(),
            ("GET", ["customers"]) => Page(
                request,
                "customers",
                store.Customers.Where(customer => Like(request, "email", customer.Email)).Select(FreeScoutJson.Customer)
            ),
            ("GET", ["customers", var id]) => Id(id) is { } customer && store.FindCustomer(customer) is { } found
                ? Answer.Json(200, FreeScoutJson.Customer(found))
                : NotFound(),
            ("GET", ["webhooks"]) => Page(request, "webhooks", store.Webhooks.Select(FreeScoutJson.Webhook)),
            ("POST", ["webhooks"]) => AddWebhook(request),
            ("DELETE", ["webhooks", var id]) => Id(id) is { } hook && store.RemoveWebhook(hook) ? NoContent() : NotFound(),
            _ => MethodNotAllowed(),
        };
    }

    public static long? Id(string segment) => long.TryParse(segment, out var id) ? id : null;

    public static Answer NotFound() => Answer.Json(404, new { message = "Not Found" });

    /// <summary>405, because the module's OPTIONS route matches every path, so an unknown path is a wrong method.</summary>
    public static Answer MethodNotAllowed() => Answer.Json(405, new { message = "" });

    /// <summary>An empty body with type <c>text/html</c>, as FreeScout sends it, which breaks JSON parsers.</summary>
    public static Answer NoContent() => new(204, "text/html; charset=UTF-8");

    /// <summary>One page of a list, in the common envelope. A page past the end is empty.</summary>
    public static Answer Page(RecordedRequest request, string name, IEnumerable<object> rows, int? maxSize = null)
    {
        var all = rows.ToArray();
        var number = int.TryParse(request.Query("page"), out var page) && page > 0 ? page : 1;
        var size = int.TryParse(request.Query("pageSize"), out var wanted) && wanted > 0 ? wanted : DefaultPageSize;
        size = Math.Min(size, maxSize ?? size);
        return Answer.Json(
            200,
            new
            {
                _embedded = new Dictionary<string, object>
                {
                    [name] = all.Skip((int)Math.Min(int.MaxValue, (number - 1L) * size)).Take(size),
                },
                page = new
                {
                    size,
                    totalElements = all.Length,
                    totalPages = Math.Max(1, (all.Length + size - 1) / size),
                    number,
                },
            }
        );
    }

    private Answer Page(RecordedRequest request, string name, IEnumerable<object> rows) =>
        Page(request, name, rows, freeScout.Behavior.MaxPageSize);

    // The core checks the host (APP_URL's or a subdomain) before the key.
    private bool IsTrustedHost(RecordedRequest request) =>
        HostOf(request) is var host
        && (
            host.Equals(freeScout.AppHost, StringComparison.OrdinalIgnoreCase)
            || host.EndsWith($".{freeScout.AppHost}", StringComparison.OrdinalIgnoreCase)
        );

    private static string HostOf(RecordedRequest request) => new HostString(request.Header("Host") ?? "").Host;

    private static Answer UntrustedHost(RecordedRequest request)
    {
        var words = $"Untrusted Host: {HostOf(request)}. Add the following to your .env file: APP_TRUSTED_HOSTS={HostOf(request)}";
        return request.Header("Accept")?.Contains("json", StringComparison.OrdinalIgnoreCase) == true
            ? Answer.Json(403, new { message = words })
            : Answer.Html(
                403,
                $"<!DOCTYPE html><html><head><title>Access denied</title></head><body><h1>403</h1><p>{words}</p></body></html>"
            );
    }

    // These three ways only: Bearer alone is rejected, although some clients send it too.
    private bool IsAuthorized(RecordedRequest request) =>
        freeScout.ApiKey == request.Header("X-FreeScout-API-Key")
        || freeScout.ApiKey == request.Query("api_key")
        || freeScout.ApiKey == BasicUser(request.Header("Authorization"));

    private static string? BasicUser(string? header)
    {
        if (header?.Split(' ', 2) is not [var scheme, var value] || !scheme.Equals("Basic", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var bytes = new byte[value.Length];
        return Convert.TryFromBase64String(value, bytes, out var length) ? Encoding.UTF8.GetString(bytes, 0, length).Split(':')[0] : null;
    }

    private Answer Tags(RecordedRequest request)
    {
        if (!freeScout.Behavior.TagsModule)
        {
            return ConversationsApi.NoTagsModule();
        }

        var conversation = Id(request.Query("conversationId") ?? "");
        var tags = conversation is { } id ? store.Find(id)?.Tags ?? [] : store.Tags;
        var all = store.Conversations;
        return Page(
            request,
            "tags",
            tags.Select(tag => new
            {
                id = store.TagId(tag),
                name = tag,
                counter = all.Count(row => row.Tags.Any(known => FreeScoutStore.SameTag(known, tag))),
                color = 0,
            })
        );
    }

    private Answer AddWebhook(RecordedRequest request)
    {
        var body = request.Json();
        if (!Uri.TryCreate(body.Text("url"), UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
        {
            return new ApiError("url", "URL is required.").ToAnswer();
        }

        var hook = store.AddWebhook(url, FreeScoutWebhooks.Known(body["events"]), FreeScoutWebhooks.Numbers(body["mailboxes"]));
        return Answer.Json(201, FreeScoutJson.Webhook(hook)).With("Resource-ID", $"{hook.Id}");
    }

    private SandboxMailbox? FindMailbox(string id) => Id(id) is { } number ? store.FindMailbox(number) : null;

    private static bool Like(RecordedRequest request, string parameter, string? value) =>
        request.Query(parameter) is not { } wanted || wanted.Equals(value, StringComparison.OrdinalIgnoreCase);
}
