namespace AutoTicket.Intake;

/// <summary>
/// Splits a request into its alerts without parsing them. So one alert with NaN, bad UTF-8 or a thousand brackets does not fail the
/// others. Linear time, no copies.
/// </summary>
internal static class AlertSplitter
{
    /// <summary>Upper bound per request, so that one request can't hold a database batch open forever.</summary>
    public const int MostAlerts = 10_000;

    /// <returns>The elements of an array, or the object itself if <paramref name="mayBeOne"/>. Null: it is neither. It stops at one element
    /// more than <see cref="MostAlerts"/>.</returns>
    public static List<ReadOnlyMemory<byte>>? Elements(ReadOnlyMemory<byte> json, bool mayBeOne)
    {
        var text = json.Span;
        var at = SkipSpace(text, 0);
        if (at == text.Length)
        {
            return null;
        }

        if (text[at] == '{' && mayBeOne)
        {
            var end = EndOfValue(text, at);
            return end >= 0 && SkipSpace(text, end) == text.Length ? [json[at..end]] : null;
        }

        if (text[at] != '[')
        {
            return null;
        }

        var elements = new List<ReadOnlyMemory<byte>>();
        at = SkipSpace(text, at + 1);
        if (at < text.Length && text[at] == ']')
        {
            return SkipSpace(text, at + 1) == text.Length ? elements : null;
        }

        while (elements.Count <= MostAlerts)
        {
            var end = EndOfValue(text, at);
            if (end < 0)
            {
                return null;
            }

            elements.Add(json[at..end]);
            at = SkipSpace(text, end);
            if (at == text.Length)
            {
                return null;
            }

            switch (text[at])
            {
                case (byte)',':
                    at = SkipSpace(text, at + 1);
                    break;
                case (byte)']':
                    return SkipSpace(text, at + 1) == text.Length ? elements : null;
                default:
                    return null;
            }
        }

        return elements;
    }

    /// <returns>The value of an object's member. Null: it is no object, or has no such member.</returns>
    public static ReadOnlyMemory<byte>? Member(ReadOnlyMemory<byte> json, ReadOnlySpan<byte> name)
    {
        var text = json.Span;
        var at = SkipSpace(text, 0);
        if (at == text.Length || text[at] != '{')
        {
            return null;
        }

        do
        {
            at = SkipSpace(text, at + 1);
            var key = at < text.Length && text[at] == '"' ? EndOfValue(text, at) : -1;
            var value = key < 0 ? key : SkipSpace(text, key);
            if (value < 0 || value == text.Length || text[value] != ':')
            {
                return null;
            }

            value = SkipSpace(text, value + 1);
            var end = EndOfValue(text, value);
            if (end < 0)
            {
                return null;
            }

            if (text[(at + 1)..(key - 1)].SequenceEqual(name))
            {
                return json[value..end];
            }

            at = SkipSpace(text, end);
        } while (at < text.Length && text[at] == ',');
        return null;
    }

    private static int SkipSpace(ReadOnlySpan<byte> text, int at)
    {
        while (at < text.Length && text[at] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
        {
            at++;
        }

        return at;
    }

    /// <returns>The index after the value that begins at <paramref name="start"/>; -1: no value begins there, or it has no end.</returns>
    private static int EndOfValue(ReadOnlySpan<byte> text, int start)
    {
        var depth = 0;
        for (var at = start; at < text.Length; at++)
        {
            switch (text[at])
            {
                case (byte)'"':
                    at = EndOfString(text, at);
                    if (at < 0)
                    {
                        return -1;
                    }

                    if (depth == 0)
                    {
                        return at + 1;
                    }

                    break;
                case (byte)'{' or (byte)'[':
                    depth++;
                    break;
                case (byte)'}' or (byte)']' when depth > 0:
                    if (--depth == 0)
                    {
                        return at + 1;
                    }

                    break;
                case (byte)',' or (byte)']' or (byte)'}' or (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n' when depth == 0:
                    return at > start ? at : -1;
            }
        }

        return depth == 0 && text.Length > start ? text.Length : -1;
    }

    private static int EndOfString(ReadOnlySpan<byte> text, int start)
    {
        for (var at = start + 1; at < text.Length; at++)
        {
            if (text[at] == '\\')
            {
                at++;
            }
            else if (text[at] == '"')
            {
                return at;
            }
        }

        return -1;
    }
}
