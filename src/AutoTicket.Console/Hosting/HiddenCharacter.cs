namespace AutoTicket.Hosting;

/// <summary>Invisible characters with an effect: they end a line, control a terminal (C0, C1) or reverse the text around them.</summary>
internal static class HiddenCharacter
{
    public static bool Is(char character) =>
        char.IsControl(character)
        || character
            is '\u2028'
                or '\u2029'
                or '\u061c'
                or '\u200e'
                or '\u200f'
                or (>= '\u202a' and <= '\u202e')
                or (>= '\u2066' and <= '\u2069');

    /// <summary>Replaces each with a space.</summary>
    public static string Blank(string text) =>
        text.Any(Is) ? string.Concat(text.Select(character => Is(character) ? ' ' : character)) : text;
}
