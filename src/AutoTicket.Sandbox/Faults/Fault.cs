using System.Text.Json.Serialization;

namespace AutoTicket.Sandbox;

/// <summary>Kinds of faults. "Before": the request is not executed. "After": it is executed, but the response is lost.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<FaultKind>))]
public enum FaultKind
{
    /// <summary>Not executed; returns <see cref="Fault.StatusCode"/> (default 500).</summary>
    Status,

    /// <summary>Executed; returns <see cref="Fault.StatusCode"/> (default 500).</summary>
    StatusAfter,

    /// <summary>Executed and answered after <see cref="Fault.Delay"/>, even if the client has gone.</summary>
    Delay,

    HangBefore,
    HangAfter,

    /// <summary>Ends the connection with a TCP RST.</summary>
    ResetBefore,
    ResetAfter,

    /// <summary>Ends the connection with a FIN and no response.</summary>
    CloseBefore,
    CloseAfter,

    /// <summary>Executed; 200 with an empty body and no <c>Resource-ID</c>.</summary>
    BlankOk,

    /// <summary>Executed; 201 with an empty body and no <c>Resource-ID</c>.</summary>
    NoId,

    /// <summary>Not executed; 200 with a log-in page.</summary>
    HtmlLogin,

    /// <summary>Not executed; 302 to <c>/login</c>.</summary>
    Redirect,

    /// <summary>Executed; the JSON ends before its <c>Content-Length</c>.</summary>
    TornJson,

    /// <summary>Executed; 200 with JSON of another shape (<c>[]</c>, or <see cref="Fault.Body"/>).</summary>
    WrongJson,

    /// <summary>Executed; 200 with 50 MB of JSON.</summary>
    HugeBody,

    /// <summary>The process of a create dies between the conversation and its thread: an empty conversation, no response.</summary>
    KilledMidway,

    /// <summary>Executed only after <see cref="Fault.Delay"/>, and never answered.</summary>
    LateCommit,

    Unauthorized,
    Forbidden,

    /// <summary>Not executed; 429, with <c>Retry-After</c> if <see cref="Fault.RetryAfter"/> is set.</summary>
    RateLimited,

    /// <summary>Not executed; the 404 of FreeScout's core when the API module is off, as JSON if requested.</summary>
    ModuleOff,

    /// <summary>Like <see cref="ModuleOff"/>, but always an HTML page.</summary>
    ModuleOffHtml,
}

/// <summary>A fault, the requests it applies to, and how often.</summary>
public sealed record Fault([property: JsonRequired] FaultKind Kind)
{
    public FaultMatch Match { get; init; } = FaultMatch.Anything;

    /// <summary>Wait of <see cref="FaultKind.Delay"/> and <see cref="FaultKind.LateCommit"/>; null until the fault is removed.</summary>
    public TimeSpan? Delay { get; init; }

    /// <summary>Number of requests after which the fault ends; null until it is removed.</summary>
    public int? Times { get; init; }

    public int? StatusCode { get; init; }

    /// <summary><c>Retry-After</c> of the response, in seconds.</summary>
    public int? RetryAfter { get; init; }

    public string? Body { get; init; }

    /// <summary>FreeScout's lists and searches find no ticket, as when its database is read from a replica that lags behind.</summary>
    public static Fault EmptyLists() =>
        new(FaultKind.WrongJson)
        {
            Match = FaultMatch.FreeScoutList,
            Body = """{"_embedded":{"conversations":[]},"page":{"size":100,"totalElements":0,"totalPages":1,"number":1}}""",
        };

    /// <summary>Slack's way of refusing: 200 and <c>{"ok":false,"error":"…"}</c>.</summary>
    public static Fault SlackError(string error) =>
        new(FaultKind.Status)
        {
            Match = FaultMatch.Slack,
            StatusCode = 200,
            Body = $$"""{"ok":false,"error":"{{error}}"}""",
        };
}

/// <summary>The requests a fault applies to. Null matches everything except the sandbox's own pages.</summary>
/// <param name="Path">A prefix of whole segments; <c>*</c> matches one segment.</param>
/// <param name="Whole"><paramref name="Path"/> must match the whole path.</param>
public sealed record FaultMatch(string? Method = null, string? Path = null, bool Whole = false)
{
    public static readonly FaultMatch Anything = new();
    public static readonly FaultMatch FreeScout = new(Path: FreeScoutStandIn.ApiPath);
    public static readonly FaultMatch FreeScoutCreate = new("POST", FreeScoutStandIn.ApiPath + "/conversations", Whole: true);
    public static readonly FaultMatch FreeScoutList = new("GET", FreeScoutStandIn.ApiPath + "/conversations", Whole: true);
    public static readonly FaultMatch FreeScoutTags = new("PUT", FreeScoutStandIn.ApiPath + "/conversations/*/tags");
    public static readonly FaultMatch Slack = new(Path: SlackStandIn.ApiPath);
    public static readonly FaultMatch SlackOpen = new("POST", SlackStandIn.ApiPath + "/conversations.open", Whole: true);
    public static readonly FaultMatch SlackPost = new("POST", SlackStandIn.ApiPath + "/chat.postMessage", Whole: true);

    internal bool Covers(string method, string path)
    {
        if (Method is not null && !Method.Equals(method, StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        var wanted = (Path ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries);
        var segments = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        return (Whole ? segments.Length == wanted.Length : segments.Length >= wanted.Length)
            && wanted.Zip(segments).All(pair => pair.First == "*" || pair.First == pair.Second);
    }
}
