using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace AutoTicket.Security;

/// <summary>The provider's tokens for a user, with which the console asks about them later. Sealed in the session's row; never in the
/// cookie, a log or a page.</summary>
/// <param name="Subject">The provider's id of the user.</param>
/// <param name="RolesInIdToken">The role comes from the ID token; otherwise from userinfo.</param>
/// <param name="AccessUntil">When the first access token expires; null: unknown.</param>
internal sealed record ProviderGrant(
    string Subject,
    string? AccessToken,
    string? RefreshToken,
    string? IdToken,
    bool RolesInIdToken,
    DateTimeOffset? AccessUntil
);

/// <summary>Seals and opens grants, and reads the provider's configuration.</summary>
internal sealed class ProviderGrants(IDataProtectionProvider protection, IOptionsMonitor<OpenIdConnectOptions> options)
{
    private readonly IDataProtector _protector = protection.CreateProtector("AutoTicket.Security.ProviderGrant");

    public OpenIdConnectOptions Options => options.Get(Schemes.Provider);

    public string Seal(ProviderGrant grant) => _protector.Protect(JsonSerializer.Serialize(grant));

    /// <returns>Null: there is none, or the key that sealed it is lost.</returns>
    public ProviderGrant? Open(Session session)
    {
        try
        {
            return session.SealedGrant is { } sealedGrant
                ? JsonSerializer.Deserialize<ProviderGrant>(_protector.Unprotect(sealedGrant))
                : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <exception cref="InvalidOperationException">The provider can't be reached.</exception>
    public Task<OpenIdConnectConfiguration> ConfigurationAsync(CancellationToken cancellationToken) =>
        Options.ConfigurationManager!.GetConfigurationAsync(cancellationToken);

    /// <returns>Whether the provider can sign people out now.</returns>
    public async Task<bool> CanEndAsync(CancellationToken cancellationToken)
    {
        try
        {
            return !string.IsNullOrEmpty((await ConfigurationAsync(cancellationToken)).EndSessionEndpoint);
        }
        catch (Exception exception) when (exception is InvalidOperationException or HttpRequestException or IOException)
        {
            return false;
        }
    }
}
