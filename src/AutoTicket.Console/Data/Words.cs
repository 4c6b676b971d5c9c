using System.Text.Json;

namespace AutoTicket.Data;

/// <summary>Enumerations as the snake_case words that the database, the API and the logs use, such as <c>already_open</c>.</summary>
internal static class Words
{
    public static string Of<TEnum>(TEnum value)
        where TEnum : struct, Enum => Known<TEnum>.Words[value];

    public static TEnum Parse<TEnum>(string word)
        where TEnum : struct, Enum =>
        Known<TEnum>.Values.TryGetValue(word, out var value)
            ? value
            : throw new ArgumentException($"“{word}” is not a {typeof(TEnum).Name}.", nameof(word));

    private static class Known<TEnum>
        where TEnum : struct, Enum
    {
        public static readonly Dictionary<TEnum, string> Words = Enum.GetValues<TEnum>()
            .ToDictionary(value => value, value => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString()));
        public static readonly Dictionary<string, TEnum> Values = Words.ToDictionary(
            pair => pair.Value,
            pair => pair.Key,
            StringComparer.OrdinalIgnoreCase
        );
    }
}
