namespace AutoTicket.Surfaces;

/// <summary>A set of HTTP status codes, written as <c>200-299,401</c>.</summary>
public sealed record StatusCodes(string Text)
{
    public static readonly StatusCodes Success = Parse("200-299")!;

    private IReadOnlyList<(int From, int To)> Ranges { get; init; } = [];

    public bool Contains(int code) => Ranges.Any(range => range.From <= code && code <= range.To);

    /// <summary>Null when <paramref name="text"/> is not such a list, or names a code outside 100 to 599.</summary>
    public static StatusCodes? Parse(string text)
    {
        var ranges = new List<(int, int)>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            var ends = part.Split('-', 2, StringSplitOptions.TrimEntries);
            if (!int.TryParse(ends[0], out var from) || !int.TryParse(ends[^1], out var to) || from < 100 || to > 599 || from > to)
            {
                return null;
            }

            ranges.Add((from, to));
        }

        return new StatusCodes(text) { Ranges = ranges };
    }

    public override string ToString() => Text;
}
