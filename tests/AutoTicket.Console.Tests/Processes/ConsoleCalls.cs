using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AutoTicket.Tickets;

namespace AutoTicket.Tests.Processes;

/// <summary>A complete answer of the console's API.</summary>
internal sealed record Answer(HttpStatusCode Status, JsonElement Body, string Text, HttpResponseMessage Message)
{
    public string? Disposition =>
        Body.ValueKind == JsonValueKind.Object && Body.TryGetProperty("disposition", out var word) ? word.GetString() : null;

    /// <summary>The id of the ticket that a click filed or found; null without one.</summary>
    public long? Ticket =>
        Body.ValueKind == JsonValueKind.Object && Body.TryGetProperty("ticket", out var ticket) && ticket.ValueKind == JsonValueKind.Object
            ? ticket.GetProperty("id").GetInt64()
            : null;
}

/// <summary>HTTP calls of the tests to a console.</summary>
internal static class ConsoleCalls
{
    public static Task<Answer> InvestigateAsync(this IConsole console, string surface) =>
        console.AskAsync(HttpMethod.Post, $"/api/surfaces/{surface}/investigate");

    public static Task<Answer> GetAsync(this IConsole console, string path) => console.AskAsync(HttpMethod.Get, path);

    public static Task<Answer> SetFlagAsync(
        this IConsole console,
        string flag,
        bool enabled,
        string reason = "a test says so",
        DateTimeOffset? at = null
    ) =>
        console.AskAsync(
            HttpMethod.Put,
            $"/api/flags/{flag}",
            JsonContent.Create(
                new
                {
                    enabled,
                    reason,
                    at,
                }
            )
        );

    public static async Task<JsonElement> FlagAsync(this IConsole console, string flag)
    {
        var answer = await console.GetAsync("/api/flags");
        return answer.Body.GetProperty("flags").EnumerateArray().Single(row => row.GetProperty("name").GetString() == flag);
    }

    public static async Task<bool> IsOnAsync(this IConsole console, string flag) =>
        (await console.FlagAsync(flag)).GetProperty("enabled").GetBoolean();

    public static async Task<Answer> AskAsync(
        this IConsole console,
        HttpMethod method,
        string path,
        HttpContent? content = null,
        params (string Name, string Value)[] headers
    )
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        var response = await console.Http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        var isJson = response.Content.Headers.ContentType?.MediaType?.EndsWith("json", StringComparison.Ordinal) == true;
        return new Answer(response.StatusCode, isJson ? JsonSerializer.Deserialize<JsonElement>(text) : default, text, response);
    }
}
