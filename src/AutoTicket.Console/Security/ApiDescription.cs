using System.Globalization;
using System.Net.Mime;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.OpenApi;

namespace AutoTicket.Security;

/// <summary>Completes the OpenAPI document by what guards every operation: who may call it, and the refusals that it shares with the
/// others.</summary>
internal static class ApiDescription
{
    /// <summary>The token or signature that an endpoint checks itself, as the document names it.</summary>
    internal sealed record OwnScheme(string Name);

    /// <summary>A write that <see cref="RequestGuards.RequireSameOriginJson"/> guards.</summary>
    internal sealed class SameOriginJson;

    public static readonly OwnScheme AlertToken = new("alert_token");
    public static readonly OwnScheme FreeScoutSignature = new("freescout_signature");

    private static readonly Dictionary<string, OpenApiSecurityScheme> All = new()
    {
        [Schemes.Token] = Bearer("A token of CONSOLE_API_TOKENS, with the role that is named with it."),
        [Schemes.Cookie] = new()
        {
            Type = SecuritySchemeType.ApiKey,
            In = ParameterLocation.Cookie,
            Name = "__Host-autoticket",
            Description = "The session of a signed-in user. A write must be JSON and come from the console's own pages.",
        },
        [AlertToken.Name] = Bearer("A token of ALERTS_INGEST_TOKEN. It can also be the password of HTTP Basic."),
        [FreeScoutSignature.Name] = new()
        {
            Type = SecuritySchemeType.ApiKey,
            In = ParameterLocation.Header,
            Name = "X-FreeScout-Signature",
            Description = "FreeScout's signature of the body, made with FREESCOUT_WEBHOOK_SECRET.",
        },
    };

    public static void Configure(OpenApiOptions options)
    {
        options.AddDocumentTransformer(
            (document, _, _) =>
            {
                document.Info.Title = "AutoTicket Console";
                document.Info.Version = ProductVersion.Short;
                document.Info.Description = "Times are ISO 8601 in UTC, enumerations lower-case words, errors problem details (RFC 9457).";
                foreach (var (name, scheme) in All)
                {
                    document.AddComponent(name, scheme);
                }

                return Task.CompletedTask;
            }
        );
        options.AddOperationTransformer(CompleteAsync);
    }

    private static Task CompleteAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken _)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        var own = metadata.OfType<OwnScheme>().FirstOrDefault();
        operation.Security =
        [
            .. (own is not null ? [own.Name] : new[] { Schemes.Token, Schemes.Cookie }).Select(name => new OpenApiSecurityRequirement
            {
                [new OpenApiSecuritySchemeReference(name, context.Document)] = [],
            }),
        ];
        if (own is not null)
        {
            // Read by hand, so that one bad alert does not refuse the others.
            operation.RequestBody = new OpenApiRequestBody
            {
                Required = true,
                Content = new Dictionary<string, OpenApiMediaType>
                {
                    [MediaTypeNames.Application.Json] = new() { Schema = new OpenApiSchema() },
                },
            };
        }

        var isGuardedWrite = metadata.OfType<SameOriginJson>().Any();
        var responses = operation.Responses ??= [];
        if (context.Description.ParameterDescriptions.Any(parameter => parameter.Type != typeof(string)))
        {
            Refuse(400);
        }

        Refuse(401);
        if (isGuardedWrite || metadata.OfType<IAuthorizeData>().Any(data => data.Policy is not null))
        {
            Refuse(403);
        }

        if (isGuardedWrite)
        {
            Refuse(415);
        }

        // Too many at once, or too many wrong tokens from one address.
        Refuse(429);
        // The database is away, or has not answered yet.
        Refuse(503);
        operation.Responses = [];
        foreach (var (status, response) in responses.OrderBy(response => response.Key, StringComparer.Ordinal))
        {
            operation.Responses.Add(status, response);
        }

        return Task.CompletedTask;

        void Refuse(int status) =>
            responses.TryAdd(
                status.ToString(CultureInfo.InvariantCulture),
                new OpenApiResponse
                {
                    Description = ReasonPhrases.GetReasonPhrase(status),
                    Content = new Dictionary<string, OpenApiMediaType>
                    {
                        [MediaTypeNames.Application.ProblemJson] = new()
                        {
                            Schema = new OpenApiSchemaReference(nameof(ProblemDetails), context.Document),
                        },
                    },
                }
            );
    }

    private static OpenApiSecurityScheme Bearer(string description) =>
        new()
        {
            Type = SecuritySchemeType.Http,
            Scheme = "bearer",
            Description = description,
        };
}
