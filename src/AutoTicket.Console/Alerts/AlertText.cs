using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace AutoTicket.Alerts;

/// <summary>Text from outside, made fit to be stored and shown. It stays text: nothing here makes it markup.</summary>
internal static class AlertText
{
    private const int HashLength = 16;

    private static readonly SearchValues<char> Unprintable = SearchValues.Create(AllChars().Where(HiddenCharacter.Is).ToArray());
    private static readonly SearchValues<char> NotOnALine = SearchValues.Create(
        AllChars().Where(c => HiddenCharacter.Is(c) || (char.IsWhiteSpace(c) && c != ' ')).ToArray()
    );

    /// <summary>Without control characters; line breaks and tabs become spaces.</summary>
    public static string Strip(string text) =>
        !text.AsSpan().ContainsAny(Unprintable)
            ? text.Trim()
            : Build(
                    text,
                    (c, stripped) =>
                    {
                        if (char.IsControl(c) ? c is '\n' or '\t' or '\u0085' : c is '\u2028' or '\u2029')
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

    /// <summary>The same on one line, with runs of white space as one space.</summary>
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

    /// <summary>Cuts by whole grapheme clusters: an emoji of several code points stays whole or goes.</summary>
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

        // A letter with hundreds of marks on it is no character that anybody would miss.
        return string.Concat(kept == 0 ? CleanText.Cut(line, room) : line.AsSpan(0, kept).TrimEnd(), "…");
    }

    /// <summary>Cuts what takes part in an identity: a hash of the whole keeps two texts apart that begin alike.</summary>
    public static string CutApart(string text, int longest)
    {
        if (text.Length <= longest)
        {
            return text;
        }

        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..HashLength];
        return $"{CleanText.Cut(text, longest - 1 - HashLength)}#{hash}";
    }

    /// <summary>The one line of an alert, and its whole text where that had to be cut.</summary>
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

    /// <summary>Only an absolute http or https address is one to link to.</summary>
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
