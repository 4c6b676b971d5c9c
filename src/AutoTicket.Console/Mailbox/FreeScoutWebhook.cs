using System.Text.Json;
using AutoTicket.FreeScout;
using AutoTicket.Security;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace AutoTicket.Mailbox;

/// <summary><c>POST /api/freescout/webhook</c>: FreeScout's signed events. They make a change visible at once. If an event
/// is missed, the next sync shows the change.</summary>
internal static partial class FreeScoutWebhook
{
    public const string Path = "/api/freescout/webhook";

    /// <summary>In bytes. A conversation comes with its threads.</summary>
    private const int Longest = 2 * 1024 * 1024;

    /// <summary>In bytes: the kept beginning of the body, which holds the id. The rest is hashed and dropped, because the body is not
    /// trusted until the signature is checked.</summary>
    private const int Kept = 16 * 1024;

    public static void MapFreeScoutWebhook(this IEndpointRouteBuilder api) =>
        api.MapPost(
                Path,
                async (
                    HttpContext context,
                    MailboxWatch mailbox,
                    IOptions<FreeScoutOptions> options,
                    OncePerMinute often,
                    ILogger<MailboxWatch> logger,
                    CancellationToken cancellationToken
                ) =>
                {
                    if (options.Value.WebhookSecret is not { Length: > 0 } secret)
                    {
                        return Results.Problem(
                            title: "FREESCOUT_WEBHOOK_SECRET is not set on the console.",
                            detail: "The webhook is off until it is set.",
                            statusCode: 503
                        );
                    }

                    // Kestrel stops reading at this limit and answers 413.
                    context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = Longest;
                    if (
                        WebhookSignature.Read(context.Request.Headers[WebhookSignature.Header]) is not { } signature
                        || await ReadAsync(context.Request.Body, secret, signature, cancellationToken) is not { } beginning
                    )
                    {
                        if (often.Take("webhook refused") is { } times)
                        {
                            Log.Refused(logger, times);
                        }

                        return Results.Problem(
                            title: "The signature is missing or wrong.",
                            detail: "FREESCOUT_WEBHOOK_SECRET must be the Secret Key of FreeScout's page Manage → API & Webhooks.",
                            statusCode: 401
                        );
                    }

                    // Every content type and event counts, because a hint only causes a read.
                    mailbox.Hint(IdIn(beginning.Span));
                    return Results.NoContent();
                }
            )
            .AllowAnonymous()
            .WithMetadata(new RequestLimits.AtOnce("webhook", 8), ApiDescription.FreeScoutSignature)
            .WithName("ReceiveFreeScoutEvent")
            .WithSummary("Receives an event of FreeScout, after which the console reads the ticket.")
            .Produces(204)
            .ProducesProblem(401)
            .ProducesProblem(413)
            .ProducesProblem(429)
            .ProducesProblem(503);

    /// <returns>The body's beginning; null when FreeScout did not sign the body.</returns>
    private static async Task<ReadOnlyMemory<byte>?> ReadAsync(
        Stream body,
        string secret,
        byte[] signature,
        CancellationToken cancellationToken
    )
    {
        using var hash = WebhookSignature.Begin(secret);
        var beginning = new byte[Kept];
        var kept = await body.ReadAtLeastAsync(beginning, Kept, throwOnEndOfStream: false, cancellationToken);
        hash.AppendData(beginning, 0, kept);
        var rest = new byte[Kept];
        for (int read; (read = await body.ReadAsync(rest, cancellationToken)) > 0; )
        {
            hash.AppendData(rest, 0, read);
        }

        if (!WebhookSignature.Matches(hash, signature))
        {
            return null;
        }

        return beginning.AsMemory(0, kept);
    }

    /// <returns>The id of the changed conversation; null when there is none. Older FreeScout versions send an empty array.</returns>
    internal static long? IdIn(ReadOnlySpan<byte> beginning)
    {
        var json = new Utf8JsonReader(beginning, isFinalBlock: false, default);
        try
        {
            while (json.Read())
            {
                if (json.CurrentDepth == 1 && json.TokenType == JsonTokenType.PropertyName && json.ValueTextEquals("id"u8))
                {
                    return json.Read() && json.TokenType == JsonTokenType.Number && json.TryGetInt64(out var number) && number > 0
                        ? number
                        : null;
                }
            }
        }
        // InvalidOperationException: the reader accepts a name with half a surrogate pair, but can't compare it.
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // Without an id, the watch reads the whole list.
        }

        return null;
    }

    private static partial class Log
    {
        [LoggerMessage(
            LogLevel.Warning,
            "freescout webhook refused: the signature is missing or wrong, {Times} time(s) since the last such line"
        )]
        public static partial void Refused(ILogger logger, int times);
    }
}
