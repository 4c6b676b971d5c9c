using AutoTicket.Audit;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;

namespace AutoTicket.Security;

/// <summary>Answers, logs and audits requests that the user's role does not allow. The same request is audited once a minute.</summary>
internal sealed partial class DeniedRequests(DenialLog denials, OncePerMinute often, ILogger<DeniedRequests> logger)
    : IAuthorizationMiddlewareResultHandler
{
    private readonly AuthorizationMiddlewareResultHandler _default = new();

    public async Task HandleAsync(
        RequestDelegate next,
        HttpContext context,
        AuthorizationPolicy policy,
        PolicyAuthorizationResult authorizeResult
    )
    {
        if (!authorizeResult.Forbidden)
        {
            await _default.HandleAsync(next, context, policy, authorizeResult);
            return;
        }

        var right =
            context
                .GetEndpoint()
                ?.Metadata.GetOrderedMetadata<IAuthorizeData>()
                .Select(data => data.Policy)
                .LastOrDefault(name => name is not null)
            ?? Rights.See;
        var role = Roles.Of(context.User);
        // The route's pattern, because the path as sent may contain anything.
        var route = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "?";
        await RecordAsync(context.User.Identity?.Name ?? "?", role, right, $"{context.Request.Method} {route}");
        await Results
            .Problem(
                title: $"Not allowed: needs the {string.Join(" or ", Rights.HoldersOf(right))} role.",
                detail: $"Your role is {role ?? "none"}. Denied requests are in the audit log.",
                statusCode: 403
            )
            .ExecuteAsync(context);
    }

    /// <param name="role">Null: the session has ended.</param>
    public async Task RecordAsync(string actor, string? role, string right, string action)
    {
        if (often.Take($"auth denied {actor} {action}") is not { } tries)
        {
            return;
        }

        Log.Denied(logger, actor, role, right, action, tries);
        await denials.RecordAsync(
            actor,
            new
            {
                tried = action,
                takes = Rights.HoldersOf(right)[0],
                role,
                tries,
            }
        );
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "auth denied actor={Actor} role={Role} takes={Right} tried={Action} tries={Tries}")]
        public static partial void Denied(ILogger logger, string actor, string? role, string right, string action, int tries);
    }
}
