using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;

namespace AutoTicket.Sandbox;

/// <summary>A received request, kept for tests.</summary>
public sealed record RecordedRequest
{
    private Dictionary<string, StringValues>? _query;

    private RecordedRequest() { }

    public required DateTimeOffset At { get; init; }
    public required string Method { get; init; }
    public required string Path { get; init; }
    public required string PathAndQuery { get; init; }

    /// <summary>Case-insensitive; several values of one name are joined with a comma.</summary>
    public required IReadOnlyDictionary<string, string> Headers { get; init; }

    /// <summary>The body as UTF-8; empty if there was none.</summary>
    public required string Body { get; init; }

    public string? Header(string name) => Headers.GetValueOrDefault(name);

    /// <summary>The last value of a query parameter; null if it is missing or empty.</summary>
    public string? Query(string name) =>
        QueryParameters.TryGetValue(name, out var values) && values[^1] is { Length: > 0 } value ? value : null;

    internal IReadOnlyDictionary<string, StringValues> QueryParameters =>
        _query ??= QueryHelpers.ParseQuery(PathAndQuery.Split('?', 2).ElementAtOrDefault(1));

    internal static async Task<RecordedRequest> ReadAsync(HttpRequest request, DateTimeOffset at, CancellationToken ct)
    {
        using var reader = new StreamReader(request.Body, Encoding.UTF8);
        return new RecordedRequest
        {
            At = at,
            Method = request.Method,
            Path = request.Path.Value ?? "/",
            PathAndQuery = request.GetEncodedPathAndQuery(),
            Headers = request.Headers.ToDictionary(
                header => header.Key,
                header => header.Value.ToString(),
                StringComparer.OrdinalIgnoreCase
            ),
            Body = await reader.ReadToEndAsync(ct),
        };
    }
}
