using System.Text.Json.Serialization;

namespace AutoTicket.Sandbox;

/// <summary>What goes wrong. "Before" means that nothing was done, "After" that it was done and only the answer is lost.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<FaultKind>))]
public enum FaultKind
{
    /// <summary>Nothing done; answers <see cref="Fault.StatusCode"/> (500).</summary>
    Status,

    /// <summary>Done; answers <see cref="Fault.StatusCode"/> (500) all the same.</summary>
    StatusAfter,

    /// <summary>Waits <see cref="Fault.Delay"/>, then does it and answers, whether or not the client is still there.</summary>
    Delay,

    HangBefore,
    HangAfter,

    /// <summary>The connection ends with a TCP RST.</summary>
    ResetBefore,
    ResetAfter,

    /// <summary>The connection ends with a plain FIN, and no byte of an answer.</summary>
    CloseBefore,
    CloseAfter,

    /// <summary>Done; 200, an empty body and no <c>Resource-ID</c>.</summary>
    BlankOk,

    /// <summary>Done; 201, an empty body and no <c>Resource-ID</c>.</summary>
    NoId,

    /// <summary>Nothing done; 200 and a log-in page.</summary>
    HtmlLogin,

    /// <summary>Nothing done; 302 to <c>/login</c>.</summary>
    Redirect,

    /// <summary>Done; the answer's JSON breaks off before its <c>Content-Length</c>.</summary>
    TornJson,

    /// <summary>Done; 200 and JSON of another shape (<c>[]</c>, or <see cref="Fault.Body"/>).</summary>
    WrongJson,

    /// <summary>Done; 200 and 50 MB of JSON.</summary>
    HugeBody,

    /// <summary>A create's process dies between the conversation and its thread: an empty conversation, and no byte of an answer.</summary>
    KilledMidway,

    /// <summary>Done only after <see cref="Fault.Delay"/>, and never answered.</summary>
    LateCommit,

    Unauthorized,
    Forbidden,

    /// <summary>Nothing done; 429, with <c>Retry-After</c> where <see cref="Fault.RetryAfter"/> is set.</summary>
    RateLimited,

    /// <summary>Nothing done; what FreeScout's core answers while the API module is off: 404, JSON if that was asked for.</summary>
    ModuleOff,

    /// <summary>As <see cref="ModuleOff"/>, but an HTML page whatever was asked for.</summary>
    ModuleOffHtml,
}

/// <summary>A thing that goes wrong, where, and how often.</summary>
public sealed record Fault([property: JsonRequired] FaultKind Kind)
{
    public FaultMatch Match { get; init; } = FaultMatch.Anything;

    /// <summary>How long <see cref="FaultKind.Delay"/> and <see cref="FaultKind.LateCommit"/> wait; null: until the fault is removed.</summary>
    public TimeSpan? Delay { get; init; }

    /// <summary>After so many hits the fault heals; null: it stays until it is removed.</summary>
    public int? Times { get; init; }

    public int? StatusCode { get; init; }

    /// <summary>The answer's <c>Retry-After</c> in seconds.</summary>
    public int? RetryAfter { get; init; }

    public string? Body { get; init; }

    /// <summary>Slack's way of refusing: 200 and <c>{"ok":false,"error":"…"}</c>.</summary>
    public static Fault SlackError(string error) =>
        new(FaultKind.Status)
        {
            Match = FaultMatch.Slack,
            StatusCode = 200,
            Body = $$"""{"ok":false,"error":"{{error}}"}""",
        };
}

/// <summary>
/// Which requests a fault meets. <paramref name="Path"/> is a prefix by whole segments, in which <c>*</c> stands for one;
/// with <paramref name="Whole"/> it is the path from end to end. Null matches everything but the sandbox's own pages.
/// </summary>
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
