using System.Text;

namespace AutoTicket.Tests.Kit;

/// <summary>Random invalid input for fuzz tests: any UTF-16 text, odd JSON and corrupted bytes. The same seed gives the same
/// input.</summary>
internal sealed class Rubbish(int seed)
{
    private static readonly string[] Odd =
    [
        "\0",
        "\ud83d",
        "\ude00",
        "😀",
        "👨‍👩‍👧‍👦",
        "\u202e",
        "\u0085",
        "\u009b",
        "\u2028",
        "\ufeff",
        "\uffff",
        "\u0301",
        "机房",
        "ﷺ",
        "\r\n",
        "\t",
        "\"",
        "\\",
        "<b>",
        "&amp;",
        "'",
        "%00",
        "%",
        "{",
        "}",
        "=",
        ",",
        ";",
        ":",
        "/",
        "-",
        " ",
        "1",
        "-1",
        "99999999999999999999",
        "1e999",
        "NaN",
        "P1",
        "P9",
        "critical",
        "24:00:00",
        "90d",
        "true",
        "null",
        "2026-11-28T02:14:03Z",
    ];

    private readonly Random _random = new(seed);

    public int Number(int below) => _random.Next(below);

    public T One<T>(params ReadOnlySpan<T> of) => of[Number(of.Length)];

    /// <summary>Any UTF-16 text, well formed or not. One in ten is long.</summary>
    public string Text()
    {
        var text = new StringBuilder();
        for (var parts = Number(10) == 0 ? Number(600) : Number(6); parts > 0; parts--)
        {
            _ = Number(3) switch
            {
                0 => text.Append((char)Number(char.MaxValue + 1)),
                1 => text.Append((char)('a' + Number(26))),
                _ => text.Append(One<string>(Odd)),
            };
        }

        return text.ToString();
    }

    /// <summary>A JSON value. Its strings may hold escapes of unpaired surrogates.</summary>
    /// <param name="names">Names that four in five members get; the others get any text.</param>
    public string Json(int depth, params string[] names) =>
        Number(depth > 0 ? 9 : 7) switch
        {
            0 => "null",
            1 => One("true", "false"),
            2 => One("0", "-1", "7", "1e999", "99999999999999999999", "0.1"),
            7 => $"[{string.Join(',', Enumerable.Range(0, Number(4)).Select(_ => Json(depth - 1, names)))}]",
            8 => Members(depth, names),
            _ => Quoted(Text()),
        };

    /// <summary>A JSON object of such values.</summary>
    public string Members(int depth, params string[] names)
    {
        var members = Enumerable.Range(0, Number(8)).Select(_ => $"{Quoted(Name())}:{Json(depth - 1, names)}");
        return $"{{{string.Join(',', members)}}}";

        string Name() => names.Length > 0 && Number(5) > 0 ? One<string>(names) : Text();
    }

    /// <summary>The text with up to three corruptions: bytes are changed, removed, copied or inserted.</summary>
    public byte[] Bent(string valid)
    {
        var bytes = new List<byte>(Encoding.UTF8.GetBytes(valid));
        for (var changes = Number(4); changes > 0 && bytes.Count > 0; changes--)
        {
            var (at, length) = (Number(bytes.Count), Number(12));
            var part = bytes.Skip(at).Take(length).ToList();
            switch (Number(4))
            {
                case 0:
                    bytes[at] = (byte)Number(256);
                    break;
                case 1:
                    bytes.RemoveRange(at, part.Count);
                    break;
                case 2:
                    bytes.InsertRange(Number(bytes.Count), part);
                    break;
                default:
                    bytes.InsertRange(at, Encoding.UTF8.GetBytes(Quoted(Text())));
                    break;
            }
        }

        return [.. bytes];
    }

    /// <summary>A JSON string with random UTF-16 units escaped. <see cref="System.Text.Json"/> would reject unpaired surrogates.</summary>
    private string Quoted(string text) =>
        $"\"{string.Concat(text.Select(c => c is '"' or '\\' || c < ' ' || Number(4) == 0 ? $"\\u{(int)c:x4}" : $"{c}"))}\"";
}
