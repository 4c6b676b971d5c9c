using System.Text.Json;
using AutoTicket.FreeScout;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tickets;

/// <summary><c>POST /api/freescout/webhook</c>: FreeScout's events, known by their signature. They make a change visible at once;
/// what is missed, the next sync sees.</summary>
internal static partial class FreeScoutWebhook
{
    public const string Path = "/api/freescout/webhook";

    /// <summary>In bytes. A conversation comes with its threads; what is longer is refused before anything of it is hashed.</summary>
    private const int Longest = 2 * 1024 * 1024;

    public static void MapFreeScoutWebhook(this IEndpointRouteBuilder api) =>
        api.MapPost(Path, async (HttpContext context, TicketHints hints, IOptions<FreeScoutOptions> options, ILogger<TicketHints> logger, CancellationToken cancellationToken) =>
            {
                if (options.Value.WebhookSecret is not { Length: > 0 } secret)
                {
                    return Results.Problem(title: "FREESCOUT_WEBHOOK_SECRET is not set on the console.", detail: "Until it is, nothing is taken here.", statusCode: 503);
                }

                // Kestrel stops reading there and answers 413.
                context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = Longest;
                using var body = new MemoryStream();
                await context.Request.Body.CopyToAsync(body, cancellationToken);
                var bytes = body.GetBuffer().AsMemory(0, (int)body.Length);
                if (!WebhookSignature.Matches(secret, bytes.Span, context.Request.Headers[WebhookSignature.Header]))
                {
                    Log.Refused(logger);
                    return Results.Problem(title: "The signature is missing or wrong.", detail: "FREESCOUT_WEBHOOK_SECRET must be the Secret Key of FreeScout's page Manage → API & Webhooks.", statusCode: 401);
                }

                // Whatever its content type says, and of whichever event it tells.
                hints.Give(IdIn(bytes));
                return Results.NoContent();
            })
            .AllowAnonymous()
            .Produces(204).ProducesProblem(401).ProducesProblem(413).ProducesProblem(503);

    /// <returns>Null when it does not say which conversation changed: older versions send an empty array.</returns>
    private static long? IdIn(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("id", out var id) && id.ValueKind == JsonValueKind.Number && id.TryGetInt64(out var number) && number > 0 ? number : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "freescout webhook refused: the signature is missing or wrong")]
        public static partial void Refused(ILogger logger);
    }
}
