using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Security;

/// <summary>Somebody who is known tries what their role does not allow: it is refused, told, and written into the audit log, the same
/// try again once a minute.</summary>
internal sealed partial class DeniedRequests(
    IDbContextFactory<AutoTicketDbContext> contexts,
    OncePerMinute often,
    TimeProvider clock,
    ILogger<DeniedRequests> logger
) : IAuthorizationMiddlewareResultHandler
{
    private readonly AuthorizationMiddlewareResultHandler _otherwise = new();

    public async Task HandleAsync(
        RequestDelegate next,
        HttpContext context,
        AuthorizationPolicy policy,
        PolicyAuthorizationResult authorizeResult
    )
    {
        if (!authorizeResult.Forbidden)
        {
            await _otherwise.HandleAsync(next, context, policy, authorizeResult);
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
        // The route, not the address as it was sent.
        var route = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "?";
        await RecordAsync(context.User.Identity?.Name ?? "?", role, right, $"{context.Request.Method} {route}");
        await Results
            .Problem(
                title: "Your role does not allow this.",
                detail: $"It takes the role {string.Join(" or ", Rights.HoldersOf(right))}; yours is {role ?? "none"}. "
                    + "Such tries are written down.",
                statusCode: 403
            )
            .ExecuteAsync(context);
    }

    /// <param name="role">Null: none any more.</param>
    public async Task RecordAsync(string actor, string? role, string right, string action)
    {
        if (often.Take($"auth denied {actor} {action}") is not { } tries)
        {
            return;
        }

        Log.Refused(logger, actor, role, right, action, tries);
        try
        {
            await using var db = await contexts.CreateDbContextAsync();
            db.AuditLog.Add(
                new AuditEntry
                {
                    CreatedAt = clock.GetUtcNow(),
                    Action = AuditActions.Denied,
                    Actor = actor,
                    Payload = JsonSerializer.Serialize(
                        new
                        {
                            tried = action,
                            takes = Rights.HoldersOf(right)[0],
                            role,
                            tries,
                        }
                    ),
                }
            );
            await db.SaveChangesAsync();
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            // It was refused all the same, and the log has it.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "auth denied actor={Actor} role={Role} takes={Right} tried={Action} tries={Tries}")]
        public static partial void Refused(ILogger logger, string actor, string? role, string right, string action, int tries);
    }
}
