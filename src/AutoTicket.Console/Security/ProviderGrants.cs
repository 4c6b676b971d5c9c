using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace AutoTicket.Security;

/// <summary>What the provider gave for a user, by which it is asked about them later. Sealed in the session's row, and never in the
/// cookie, a log or a page.</summary>
/// <param name="Subject">Its own word for the user.</param>
/// <param name="RolesInIdToken">The role came from the ID token; otherwise userinfo has it.</param>
/// <param name="AccessUntil">When the first access token ends; null: the provider did not say.</param>
internal sealed record ProviderGrant(
    string Subject,
    string? AccessToken,
    string? RefreshToken,
    string? IdToken,
    bool RolesInIdToken,
    DateTimeOffset? AccessUntil
);

/// <summary>Seals grants, and knows the provider's addresses.</summary>
internal sealed class ProviderGrants(IDataProtectionProvider protection, IOptionsMonitor<OpenIdConnectOptions> options)
{
    private readonly IDataProtector _protector = protection.CreateProtector("AutoTicket.Security.ProviderGrant");

    public OpenIdConnectOptions Options => options.Get(Schemes.Provider);

    public string Seal(ProviderGrant grant) => _protector.Protect(JsonSerializer.Serialize(grant));

    /// <returns>Null: there is none, or the key that sealed it is gone.</returns>
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

    /// <exception cref="InvalidOperationException">It can't be reached.</exception>
    public Task<OpenIdConnectConfiguration> ConfigurationAsync(CancellationToken cancellationToken) =>
        Options.ConfigurationManager!.GetConfigurationAsync(cancellationToken);

    /// <summary>Whether people can be signed out at the provider too, just now.</summary>
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
