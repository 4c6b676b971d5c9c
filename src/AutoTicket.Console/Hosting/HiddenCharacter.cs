namespace AutoTicket.Hosting;

/// <summary>Characters that nobody sees and that do something: end a line, command a terminal (C0, C1), or turn the text around them, so that
/// it reads otherwise than it is.</summary>
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

    /// <summary>With a space in the place of each.</summary>
    public static string Blank(string text) =>
        text.Any(Is) ? string.Concat(text.Select(character => Is(character) ? ' ' : character)) : text;
}
