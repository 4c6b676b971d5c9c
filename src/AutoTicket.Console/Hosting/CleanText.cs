using System.Buffers.Text;
using System.Text;
using System.Text.Unicode;

namespace AutoTicket.Hosting;

/// <summary>Text from outside, made fit to be stored: PostgreSQL takes neither U+0000 nor half of a surrogate pair.</summary>
internal static class CleanText
{
    /// <summary>U+0000 becomes a space, and half of a surrogate pair U+FFFD.</summary>
    public static string Of(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') && !text.Contains('\0', StringComparison.Ordinal))
        {
            return text;
        }

        var clean = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            clean.Append(rune.Value == 0 ? new Rune(' ') : rune);
        }

        return clean.ToString();
    }

    /// <summary>Cuts at a number of characters, but splits no surrogate pair.</summary>
    public static string Cut(string text, int longest) =>
        text.Length <= longest ? text : text[..(char.IsHighSurrogate(text[longest - 1]) ? longest - 1 : longest)];

    /// <summary>A copy of JSON that can be read to the last string: <see cref="MendEscapes"/>, and bytes that are not UTF-8 become U+FFFD.
    /// Without it the parser accepts the whole, and throws only where a string of it is read.</summary>
    public static byte[] Json(ReadOnlySpan<byte> json)
    {
        var clean = Utf8.IsValid(json) ? json.ToArray() : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(json));
        MendEscapes(clean);
        return clean;
    }

    /// <summary>Escaped halves of surrogate pairs become U+FFFD, an escaped U+0000 a space; in place, because all are as long.</summary>
    public static void MendEscapes(Span<byte> json)
    {
        for (var at = json.IndexOf((byte)'\\'); at >= 0 && at + 1 < json.Length; at = Next(json, at))
        {
            var unit = Escaped(json[at..]);
            if (unit is >= 0xD800 and <= 0xDBFF && Escaped(json[(at + 6)..]) is >= 0xDC00 and <= 0xDFFF)
            {
                at += 6;
            }
            else if (unit is >= 0xD800 and <= 0xDFFF)
            {
                "\\uFFFD"u8.CopyTo(json[at..]);
            }
            else if (unit == 0)
            {
                "\\u0020"u8.CopyTo(json[at..]);
            }

            at += 2;
        }

        static int Next(Span<byte> json, int from) => json[from..].IndexOf((byte)'\\') is >= 0 and var found ? from + found : -1;

        static int Escaped(ReadOnlySpan<byte> json) =>
            json.Length >= 6
            && json[0] == '\\'
            && json[1] == 'u'
            && Utf8Parser.TryParse(json[2..6], out ushort unit, out var digits, 'x')
            && digits == 4
                ? unit
                : -1;
    }
}
