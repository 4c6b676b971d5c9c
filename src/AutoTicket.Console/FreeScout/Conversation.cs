using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace AutoTicket.FreeScout;

/// <summary>FreeScout's conversation object. Nearly everything may be null, because versions and modules differ.</summary>
internal sealed partial record Conversation
{
    public long Id { get; init; }

    public long? Number { get; init; }

    /// <summary>Text from outside: anyone who writes to the mailbox chooses it.</summary>
    public string? Subject
    {
        get;
        init => field = value is null ? null : HiddenCharacter.Blank(value);
    }

    /// <summary>Threads without notes; 0: FreeScout was killed in the create, before it stored the first thread.</summary>
    public int? ThreadsCount { get; init; }

    /// <summary>active, pending, closed, spam.</summary>
    public string? Status
    {
        get;
        init => field = value is null ? null : HiddenCharacter.Blank(value);
    }

    /// <summary>draft, published, deleted.</summary>
    public string? State { get; init; }

    public long? MailboxId { get; init; }

    [JsonConverter(typeof(LenientDate))]
    public DateTimeOffset? CreatedAt { get; init; }

    [JsonConverter(typeof(LenientDate))]
    public DateTimeOffset? UpdatedAt { get; init; }

    public JsonElement CreatedBy { get; init; }

    [JsonIgnore]
    public string? CreatedByName => NameOf(CreatedBy);

    public JsonElement ClosedByUser { get; init; }

    /// <summary>The agent who closed it; null: FreeScout names none.</summary>
    [JsonIgnore]
    public string? ClosedByName => NameOf(ClosedByUser);

    public JsonElement Assignee { get; init; }

    /// <summary>The agent who has it; null: nobody.</summary>
    [JsonIgnore]
    public Agent? AssignedTo => Agent.In(Assignee);

    public JsonElement CustomerWaitingSince { get; init; }

    [JsonPropertyName("_embedded")]
    public JsonElement Embeds { get; init; }

    /// <summary>When a person last answered: an agent's reply, and an agent's note if the threads were requested. A list names only the
    /// last reply, which hides an agent's reply behind a customer's.</summary>
    /// <param name="console">The agent in whose name the console writes notes, which are no answers of a person.</param>
    /// <returns>Null: nobody did, or it is not known.</returns>
    public DateTimeOffset? AnsweredAt(long? console) =>
        Embeds
            .List("threads")
            .Where(thread =>
                thread.Text("type") is "message" or "note"
                && thread.Text("state") is null or "published"
                && thread.Member("createdBy") is var author
                && author.Text("type") == "user"
                && !(thread.Text("type") == "note" && author.Number("id") == console)
            )
            .Select(thread => LenientDate.Parse(thread.Text("createdAt")))
            .Append(CustomerWaitingSince.Text("latestReplyFrom") == "user" ? LenientDate.Parse(CustomerWaitingSince.Text("time")) : null)
            .Max();

    /// <summary>Any status except closed and spam counts as open, unless the conversation was deleted.</summary>
    [JsonIgnore]
    public bool IsOpen => Status is not ("closed" or "spam") && State is not "deleted";

    /// <summary>It is in the mailbox and has one of the tags. Checked in each answer, because older versions of FreeScout ignore a filter
    /// that they do not know.</summary>
    public bool IsListed(long? mailbox, params IEnumerable<string> tags) =>
        State is null or "published"
        && (MailboxId is null || MailboxId == mailbox)
        && Tags.Intersect(tags, StringComparer.OrdinalIgnoreCase).Any();

    [JsonIgnore]
    public IReadOnlyList<string> Tags => [.. Embeds.List("tags").Select(tag => tag.Text("name")).OfType<string>()];

    /// <summary>An agent merged it into another conversation. Known only if the threads were requested.</summary>
    [JsonIgnore]
    public bool IsMerged =>
        State == "deleted"
        && Embeds
            .List("threads")
            .Any(thread =>
                thread.ValueKind == JsonValueKind.Object
                && thread.TryGetProperty("action", out var action)
                && action.Text("type") == "merged"
            );

    /// <summary>The threads' bodies as HTML; empty unless the threads were requested.</summary>
    [JsonIgnore]
    public IEnumerable<string> Bodies => Embeds.List("threads").Select(thread => thread.Text("body")).OfType<string>();

    /// <summary>What agents and customers did, oldest first; empty unless the threads were requested. Drafts are left out.</summary>
    [JsonIgnore]
    public IEnumerable<ConversationThread> Threads =>
        Embeds
            .List("threads")
            .Where(thread => thread.Text("state") is null or "published")
            .Select(ConversationThread.Read)
            .OfType<ConversationThread>()
            .OrderBy(thread => thread.CreatedAt)
            .ThenBy(thread => thread.Id);

    /// <returns>Whether a thread has this body. Only the text is compared, because FreeScout cleans the HTML.</returns>
    public bool Holds(string html)
    {
        var text = TextOf(html);
        return Bodies.Any(body => TextOf(body) == text);
    }

    /// <summary>The text of HTML, in one line.</summary>
    internal static string TextOf(string html)
    {
        var text = HiddenCharacter.Blank(WebUtility.HtmlDecode(Tag().Replace(html, " ")));
        return string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    [GeneratedRegex("<[^>]*>")]
    private static partial Regex Tag();

    internal static string? NameOf(JsonElement person) =>
        Agent.NameOf(person.Text("firstName"), person.Text("lastName")) ?? person.Text("email");
}

/// <summary>A FreeScout user, who can have tickets.</summary>
internal sealed record Agent(long Id, string Name, string? Email)
{
    /// <returns>Null: the person is missing, or a customer.</returns>
    public static Agent? In(JsonElement person) =>
        person.Number("id") is { } id && person.Text("type") is null or "user"
            ? new(
                id,
                NameOf(person.Text("firstName"), person.Text("lastName")) ?? person.Text("email") ?? $"agent {id}",
                person.Text("email")
            )
            : null;

    public static string? NameOf(string? first, string? last) => $"{first} {last}".Trim() is { Length: > 0 } name ? name : null;
}

/// <summary>A conversation to create.</summary>
/// <param name="Html">The first thread's body; all text from outside in it is escaped.</param>
/// <param name="Surface">Selects the customer: beside a conversation FreeScout lists its customer's previous ones.</param>
internal sealed record ConversationDraft(string Subject, string Html, string? Surface = null);

/// <summary>A page of a list, in FreeScout's HAL format.</summary>
internal sealed record ListPage
{
    [JsonPropertyName("_embedded")]
    public JsonElement Embeds { get; init; }

    public PageNumbers? Page { get; init; }

    internal sealed record PageNumbers(int? Size, long? TotalElements, int? TotalPages, int? Number);
}

/// <summary>Reads members that may be missing, null, or PHP's <c>[]</c> for an empty object.</summary>
internal static class LenientJson
{
    public static IEnumerable<JsonElement> List(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array
            ? list.EnumerateArray()
            : [];

    /// <returns>The text without hidden characters, because it goes to pages, notes and log lines; null: there is none.</returns>
    public static string? Text(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String
            ? HiddenCharacter.Blank(text.GetString()!)
            : null;

    /// <returns>The member; undefined: there is none.</returns>
    public static JsonElement Member(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var member) ? member : default;

    public static long? Number(this JsonElement element, string name) =>
        element.Member(name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out var value) ? value : null;
}

/// <summary>Times come as <c>2020-08-09T10:09:00Z</c>, and in the vendor's documentation also as <c>2020-08-09T10-09-00Z</c>. An unreadable
/// time reads as null, so that the ticket is not lost.</summary>
internal sealed class LenientDate : JsonConverter<DateTimeOffset?>
{
    private static readonly string[] Forms =
    [
        "yyyy-MM-dd'T'HH:mm:ssK",
        "yyyy-MM-dd'T'HH-mm-ssK",
        "yyyy-MM-dd HH:mm:ss",
        "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK",
    ];

    public override DateTimeOffset? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            return Parse(reader.GetString());
        }

        reader.Skip();
        return null;
    }

    public static DateTimeOffset? Parse(string? text) =>
        DateTimeOffset.TryParseExact(
            text,
            Forms,
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out var time
        )
            ? time
            : null;

    public override void Write(Utf8JsonWriter writer, DateTimeOffset? value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
}
