using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Options;

namespace AutoTicket.FreeScout;

/// <summary>FreeScout's response to a diagnostic check.</summary>
/// <param name="Status">The HTTP status; null: no response.</param>
/// <param name="Failure">Null: success.</param>
/// <param name="Ahead">How far the console's clock is ahead of FreeScout's; null: the response has no date.</param>
internal sealed record FreeScoutProbed(int? Status, FreeScoutFailure? Failure, JsonElement Body, TimeSpan? Ahead);

/// <summary>Calls FreeScout as an operator would with curl: once, without retry and circuit breaker. Its failures don't reach
/// <see cref="FreeScoutHealth"/>, because its timeout is shorter.</summary>
internal sealed class FreeScoutProbe(IHttpClientFactory http, IOptions<FreeScoutOptions> options, TimeProvider clock)
{
    public const string HttpName = "freescout-probe";
    private const int PageSize = 100;
    private const int MostPages = 20;

    public async Task<FreeScoutProbed> AskAsync(string path, CancellationToken cancellationToken)
    {
        using var request = options.Value.Request(HttpMethod.Get, path);
        try
        {
            using var client = http.CreateClient(HttpName);
            using var response = await client.SendAsync(request, cancellationToken);
            var body = (ReadOnlyMemory<byte>)await response.Content.ReadAsByteArrayAsync(cancellationToken);
            var isJson = response.Content.Headers.ContentType?.MediaType?.Contains("json", StringComparison.OrdinalIgnoreCase) == true;
            var status = (int)response.StatusCode;
            var failure = FreeScoutRefusals.Read(status, isJson, body, null, HttpMethod.Get, options.Value.WithoutKey);
            return new(
                status,
                failure is null ? null : failure with { Message = options.Value.WithoutKey(failure.Message) },
                isJson ? Parse(body) : default,
                clock.GetUtcNow() - response.Headers.Date
            );
        }
        catch (OperationCanceledException)
        {
            return Failed(FreeScoutFailureKind.TimedOut, "FreeScout did not answer in time.");
        }
        catch (OversizedAnswerException oversized)
        {
            return Failed(FreeScoutFailureKind.BadAnswer, $"FreeScout's response is {oversized.Message}: that is not its API.");
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return Failed(
                FreeScoutFailureKind.Unreachable,
                $"FreeScout can't be reached ({FreeScoutClient.Reason(exception, options.Value)})."
            );
        }
    }

    /// <returns>Whether the mailbox exists, or a failure. Some versions have no route for one mailbox, so it also searches the
    /// list.</returns>
    public async Task<FreeScoutAnswer<bool>> HasMailboxAsync(long id, CancellationToken cancellationToken)
    {
        var one = await AskAsync($"mailboxes/{id}", cancellationToken);
        if (one.Failure is null)
        {
            return true;
        }

        for (var page = 1; one.Status is 404 or 405 && page <= MostPages; page++)
        {
            var list = await AskAsync(
                string.Create(CultureInfo.InvariantCulture, $"mailboxes?page={page}&pageSize={PageSize}"),
                cancellationToken
            );
            if (list.Failure is { } failure)
            {
                return failure;
            }

            var mailboxes = Embedded(list.Body, "mailboxes");
            if (mailboxes.Any(mailbox => mailbox.TryGetProperty("id", out var number) && number.TryGetInt64(out var its) && its == id))
            {
                return true;
            }

            if (mailboxes.Count == 0 || page >= TotalPages(list.Body))
            {
                return false;
            }
        }

        return one.Status is 404 or 405 ? false : one.Failure;
    }

    private static List<JsonElement> Embedded(JsonElement body, string name) =>
        body.ValueKind == JsonValueKind.Object && body.TryGetProperty("_embedded", out var embedded)
            ? [.. embedded.List(name).Where(row => row.ValueKind == JsonValueKind.Object)]
            : [];

    private static int TotalPages(JsonElement body) =>
        body.TryGetProperty("page", out var page)
        && page.ValueKind == JsonValueKind.Object
        && page.TryGetProperty("totalPages", out var pages)
        && pages.TryGetInt32(out var count)
            ? count
            : 1;

    private static FreeScoutProbed Failed(FreeScoutFailureKind kind, string message) =>
        new(null, new FreeScoutFailure(kind, message, WasSent: true), default, null);

    private static JsonElement Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize<JsonElement>(body.Span);
        }
        catch (JsonException)
        {
            return default;
        }
    }
}
