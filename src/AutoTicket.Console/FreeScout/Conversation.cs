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

    [JsonPropertyName("_embedded")]
    public JsonElement Embeds { get; init; }

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

    /// <returns>Whether a thread has this body. Only the text is compared, because FreeScout cleans the HTML.</returns>
    public bool Holds(string html)
    {
        var text = TextOf(html);
        return Bodies.Any(body => TextOf(body) == text);
    }

    private static string TextOf(string html)
    {
        var text = HiddenCharacter.Blank(WebUtility.HtmlDecode(Tag().Replace(html, " ")));
        return string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    [GeneratedRegex("<[^>]*>")]
    private static partial Regex Tag();

    private static string? NameOf(JsonElement person) =>
        $"{person.Text("firstName")} {person.Text("lastName")}".Trim() is { Length: > 0 } name ? name : person.Text("email");
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
            return DateTimeOffset.TryParseExact(
                reader.GetString(),
                Forms,
                CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
                out var time
            )
                ? time
                : null;
        }

        reader.Skip();
        return null;
    }

    public override void Write(Utf8JsonWriter writer, DateTimeOffset? value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
}
