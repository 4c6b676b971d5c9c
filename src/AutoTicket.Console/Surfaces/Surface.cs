using System.Text.RegularExpressions;

namespace AutoTicket.Surfaces;

/// <summary>A public URL that the console probes, configured under <c>Surfaces__N__*</c>.</summary>
public sealed partial record Surface
{
    /// <summary>The surface's identity, a slug (<c>a-z 0-9 -</c>). A new key starts a new history.</summary>
    public required string Key { get; init; }

    public required string Name { get; init; }

    public string Group { get; init; } = "";

    public required Uri Url { get; init; }

    public string Method { get; init; } = "GET";

    /// <summary>The status codes that are no failure, e.g. <c>200-299,401</c>.</summary>
    public StatusCodes ExpectedStatus { get; init; } = StatusCodes.Success;

    /// <summary>Text that the response body must contain; empty: any body is accepted.</summary>
    public string ExpectedText { get; init; } = "";

    public Severity Severity { get; init; } = Severity.P2;

    /// <summary>A slower response is a slow reading; several of them mean degraded.</summary>
    public TimeSpan SlowAfter { get; init; } = TimeSpan.FromSeconds(2);

    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How many failures in a row confirm that the surface is down.</summary>
    public int DownAfter { get; init; } = 2;

    /// <summary>How many good readings in a row confirm that it is up again.</summary>
    public int UpAfter { get; init; } = 2;

    /// <summary>Until then the surface is in maintenance: probed and shown, but without alerts.</summary>
    public DateTimeOffset? MaintenanceUntil { get; init; }

    public static bool IsKey(string text) => Slug().IsMatch(text);

    /// <param name="name">A surface as an alert's sender names it.</param>
    /// <returns>The path of its page; null: no surface can have this key.</returns>
    public static string? PathOf(string name) => IsKey(name) ? $"/console/status/{name}" : null;

    [GeneratedRegex(@"^[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?\z")]
    private static partial Regex Slug();
}

/// <summary>How severe a failure is; P1 is worst.</summary>
public enum Severity
{
    P1 = 1,
    P2,
    P3,
    P4,
}

/// <summary>A set of HTTP status codes, e.g. <c>200-299,401</c>.</summary>
public sealed record StatusCodes(string Text)
{
    public static readonly StatusCodes Success = Parse("200-299")!;

    private IReadOnlyList<(int From, int To)> Ranges { get; init; } = [];

    public bool Contains(int code) => Ranges.Any(range => range.From <= code && code <= range.To);

    /// <returns>Null: the text is not such a list, or names a code outside 100 to 599.</returns>
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
