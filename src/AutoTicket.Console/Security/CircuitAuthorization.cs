using Microsoft.AspNetCore.Components.Authorization;

namespace AutoTicket.Security;

/// <summary>Authorizes each action of an open page when it happens: a control that was rendered earlier is no permission.</summary>
internal sealed class CircuitAuthorization(AuthenticationStateProvider states, Sessions sessions, DeniedRequests denied)
{
    /// <param name="right">One of <see cref="Rights"/>.</param>
    /// <param name="action">The action, for the audit log.</param>
    /// <returns>The actor; null: not allowed, or not any more, and the attempt was audited.</returns>
    public async Task<string?> AdmitAsync(string right, string action)
    {
        var user = (await states.GetAuthenticationStateAsync()).User;
        var now = await sessions.CurrentAsync(user, CancellationToken.None);
        if (now is not null && Rights.Allows(right, now))
        {
            return now.Identity!.Name;
        }

        await denied.RecordAsync(user.Identity?.Name ?? "nobody", now is null ? null : Roles.Of(now), right, action);
        return null;
    }
}
