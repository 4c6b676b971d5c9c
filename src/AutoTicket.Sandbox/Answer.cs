using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace AutoTicket.Sandbox;

/// <summary>An HTTP response as a value, so that a fault can change, delay or drop it after the work is done.</summary>
internal sealed record Answer(int Status, string? ContentType = null, byte[]? Body = null)
{
    public static readonly JsonSerializerOptions JsonOptions = new(JsonSerializerDefaults.Web);

    private static readonly JsonSerializerOptions Unescaped = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public IReadOnlyList<(string Name, string Value)> Headers { get; init; } = [];

    public static Answer Json(int status, object? value) => new(status, "application/json", Php(value));

    public static Answer Html(int status, string page) => new(status, "text/html; charset=utf-8", Encoding.UTF8.GetBytes(page));

    public static Answer Text(int status, string text) => new(status, GuessType(text), Encoding.UTF8.GetBytes(text));

    public static Answer Redirect(int status, string location) => new Answer(status).With("Location", location);

    public Answer With(string name, string value) => this with { Headers = [.. Headers, (name, value)] };

    /// <summary>JSON as PHP writes it: slashes and non-ASCII letters are escaped, as in <c>http:\/\/</c> and <c>\u20ac</c>.</summary>
    public static byte[] Php(object? value)
    {
        var json = new StringBuilder();
        foreach (var c in JsonSerializer.Serialize(value, Unescaped))
        {
            _ = c switch
            {
                '/' => json.Append("\\/"),
                > '~' => json.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => json.Append(c),
            };
        }

        return Encoding.ASCII.GetBytes(json.ToString());
    }

    public void WriteHead(HttpResponse response)
    {
        response.StatusCode = Status;
        response.ContentType = ContentType;
        foreach (var (name, value) in Headers)
        {
            response.Headers.Append(name, value);
        }
    }

    public async Task WriteAsync(HttpResponse response, CancellationToken ct)
    {
        WriteHead(response);
        if (Body is { Length: > 0 })
        {
            response.ContentLength = Body.Length;
            await response.Body.WriteAsync(Body, ct);
        }
    }

    private static string GuessType(string text) =>
        text.TrimStart() switch
        {
            ['{' or '[' or '"', ..] => "application/json",
            ['<', ..] => "text/html; charset=utf-8",
            _ => "text/plain; charset=utf-8",
        };
}
