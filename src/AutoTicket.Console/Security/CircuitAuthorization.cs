using Microsoft.AspNetCore.Components.Authorization;

namespace AutoTicket.Security;

/// <summary>Asked by an open page at the moment of each action: what a control showed when it was rendered is no permission.</summary>
internal sealed class CircuitAuthorization(AuthenticationStateProvider states, Sessions sessions, DeniedRequests refused)
{
    /// <param name="right">One of <see cref="Rights"/>.</param>
    /// <param name="action">What is tried, for the audit log.</param>
    /// <returns>Who acts; null: they may not, or not any more, and the try was written down.</returns>
    public async Task<string?> AdmitAsync(string right, string action)
    {
        var user = (await states.GetAuthenticationStateAsync()).User;
        var now = await sessions.CurrentAsync(user, CancellationToken.None);
        if (now is not null && Rights.Allows(right, now))
        {
            return now.Identity!.Name;
        }

        await refused.RecordAsync(user.Identity?.Name ?? "nobody", now is null ? null : Roles.Of(now), right, action);
        return null;
    }
}
