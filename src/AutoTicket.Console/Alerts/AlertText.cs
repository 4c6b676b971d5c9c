using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace AutoTicket.Alerts;

/// <summary>Cleans text from outside for storage and display. The result is plain text, never markup.</summary>
internal static class AlertText
{
    private const int HashLength = 16;

    private static readonly SearchValues<char> Unprintable = SearchValues.Create(AllChars().Where(HiddenCharacter.Is).ToArray());
    private static readonly SearchValues<char> NotOnALine = SearchValues.Create(
        AllChars().Where(c => HiddenCharacter.Is(c) || (char.IsWhiteSpace(c) && c != ' ')).ToArray()
    );

    /// <summary>Removes control characters; line breaks and tabs become spaces.</summary>
    public static string Strip(string text) =>
        !text.AsSpan().ContainsAny(Unprintable)
            ? text.Trim()
            : Build(
                    text,
                    (c, stripped) =>
                    {
                        if (c is '\n' or '\t' or '\u0085' or '\u2028' or '\u2029')
                        {
                            stripped.Append(' ');
                        }
                        else if (!HiddenCharacter.Is(c))
                        {
                            stripped.Append(c);
                        }
                    }
                )
                .Trim();

    /// <summary>Removes control characters; each run of white space becomes one space.</summary>
    public static string Line(string text) =>
        !text.AsSpan().ContainsAny(NotOnALine) && !text.Contains("  ", StringComparison.Ordinal)
            ? text.Trim()
            : Build(
                    text,
                    (c, line) =>
                    {
                        if (char.IsWhiteSpace(c))
                        {
                            if (line.Length > 0 && line[^1] != ' ')
                            {
                                line.Append(' ');
                            }
                        }
                        else if (!HiddenCharacter.Is(c))
                        {
                            line.Append(c);
                        }
                    }
                )
                .Trim();

    /// <summary>Cuts at a grapheme cluster, so that an emoji of several code points is never split.</summary>
    public static string Cut(string line, int longest)
    {
        if (line.Length <= longest)
        {
            return line;
        }

        var room = longest - 1;
        var kept = 0;
        for (int next; kept < room && kept + (next = StringInfo.GetNextTextElementLength(line.AsSpan(kept))) <= room; )
        {
            kept += next;
        }

        // The first cluster alone is too long, such as a letter with hundreds of marks: cut it by characters.
        return string.Concat(kept == 0 ? CleanText.Cut(line, room) : line.AsSpan(0, kept).TrimEnd(), "…");
    }

    /// <summary>Cuts a text that is part of an identity. A hash keeps two texts with the same beginning apart.</summary>
    public static string CutApart(string text, int longest)
    {
        if (text.Length <= longest)
        {
            return text;
        }

        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..HashLength];
        return $"{CleanText.Cut(text, longest - 1 - HashLength)}#{hash}";
    }

    /// <summary>The summary line of an alert, and its whole text if the line was cut.</summary>
    public static (string Line, string? Full) Summary(string text)
    {
        var line = Line(text);
        return line.Length <= Alert.LongestSummary
            ? (line, null)
            : (
                Cut(line, Alert.LongestSummary),
                Build(
                        text,
                        (c, full) =>
                        {
                            if (!HiddenCharacter.Is(c) || c is '\n' or '\t')
                            {
                                full.Append(c);
                            }
                        }
                    )
                    .Trim()
            );
    }

    /// <summary>The URL, if it is absolute and http or https; else null.</summary>
    public static string? Url(string? text) =>
        text is { Length: > 0 and <= 4000 } && Uri.TryCreate(text.Trim(), UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            ? url.AbsoluteUri
            : null;

    private static IEnumerable<char> AllChars() => Enumerable.Range(0, char.MaxValue + 1).Select(c => (char)c);

    private static string Build(string text, Action<char, StringBuilder> append)
    {
        var built = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            append(c, built);
        }

        return built.ToString();
    }
}
