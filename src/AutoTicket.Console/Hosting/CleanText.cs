using System.Buffers.Text;
using System.Text;
using System.Text.Unicode;

namespace AutoTicket.Hosting;

/// <summary>Makes text from outside fit for PostgreSQL, which stores neither U+0000 nor half a surrogate pair.</summary>
internal static class CleanText
{
    /// <summary>Replaces U+0000 with a space, and half a surrogate pair with U+FFFD.</summary>
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

    /// <summary>Cuts text after a number of characters, but never inside a surrogate pair.</summary>
    public static string Cut(string text, int longest) =>
        text.Length <= longest ? text : text[..(char.IsHighSurrogate(text[longest - 1]) ? longest - 1 : longest)];

    /// <summary>A copy of JSON in which every string can be read: see <see cref="MendEscapes"/>; bytes that are not UTF-8 become U+FFFD.
    /// Otherwise the parser would accept the document and throw later, when such a string is read.</summary>
    public static byte[] Json(ReadOnlySpan<byte> json)
    {
        var clean = Utf8.IsValid(json) ? json.ToArray() : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(json));
        MendEscapes(clean);
        return clean;
    }

    /// <summary>Replaces escaped halves of surrogate pairs with U+FFFD and an escaped U+0000 with a space. All these escapes have the same
    /// length, so it works in place.</summary>
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
