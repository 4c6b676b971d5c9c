using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace AutoTicket.Security;

/// <summary>
/// Asks the provider about each session every <c>OIDC_RECHECK_INTERVAL</c>: does the user still exist, and with which role? It uses the
/// refresh token, if any, and userinfo. One process asks at a time, because a refresh token works once: a provider that sees one twice
/// withdraws the session. An outage of the provider ends a session after <see cref="Sessions.Unconfirmed"/>.
/// </summary>
internal sealed partial class ProviderWatch(
    SignInOptions signIn,
    ProviderGrants grants,
    Sessions sessions,
    IDbContextFactory<AutoTicketDbContext> contexts,
    DatabaseGate gate,
    OncePerMinute often,
    TimeProvider clock,
    ILogger<ProviderWatch> logger
) : Loop(clock, logger)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    /// <summary>A check is three requests of at most ten seconds each, and half a minute of <see cref="Retries"/>. One of a killed process
    /// is repeated after this time and the interval.</summary>
    private static readonly TimeSpan LongestCheck = TimeSpan.FromMinutes(2);

    /// <summary>The provider's clock and a slow answer may make a token expire this much earlier than the console counted.</summary>
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(1);

    /// <summary>A renewed token that can't be stored is lost, and the used one would end the session.</summary>
    private static readonly TimeSpan[] Retries = [.. new[] { 1, 2, 4, 8, 16 }.Select(seconds => TimeSpan.FromSeconds(seconds))];

    /// <summary>In parallel, so that a hanging request does not delay the other sessions.</summary>
    private const int AtOnce = 16;

    /// <summary>Errors of RFC 6749 that say nothing about the user.</summary>
    private static readonly string[] TransientErrors = ["temporarily_unavailable", "server_error", "slow_down"];

    /// <param name="Role">Null: unchanged.</param>
    /// <param name="Over">Why the session ends; null: it goes on.</param>
    private sealed record Verdict(string? Role = null, string? Over = null);

    protected override async Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        if (gate.IsOpen)
        {
            // Never cancel a check, because its refresh token is used up. The back channel's timeout bounds it.
            await Parallel.ForEachAsync(
                await DueAsync(stoppingToken),
                new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = stoppingToken },
                async (session, _) => await CheckAsync(session, CancellationToken.None)
            );
        }

        return LookEvery;
    }

    private async Task<List<Session>> DueAsync(CancellationToken cancellationToken)
    {
        var (now, authority) = (Clock.GetUtcNow(), signIn.Authority);
        var before = now - signIn.Provider!.RecheckEvery;
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        return await db
            .Sessions.AsNoTracking()
            .Where(session => session.Authority == authority && session.CheckedAt <= before && session.ExpiresAt > now)
            .OrderBy(session => session.CheckedAt)
            .ToListAsync(cancellationToken);
    }

    private async Task CheckAsync(Session session, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var (now, seen) = (Clock.GetUtcNow(), session.CheckedAt);
        // Not due for anybody until this check ends, however slow the provider is.
        var free = now + LongestCheck;
        var own = db.Sessions.Where(row => row.Id == session.Id);
        if (
            await own.Where(row => row.CheckedAt == seen)
                .ExecuteUpdateAsync(set => set.SetProperty(row => row.CheckedAt, free), cancellationToken) == 0
        )
        {
            return;
        }

        Verdict verdict;
        try
        {
            verdict = grants.Open(session) is { } grant
                ? await AskAsync(db, session, grant, cancellationToken)
                : new(Over: "the key that sealed its grant is lost");
        }
        catch (Exception exception)
            when (!Outages.IsOfDatabase(exception)
                && exception
                    is HttpRequestException
                        or InvalidOperationException
                        or ArgumentException
                        or IOException
                        or JsonException
                        or TaskCanceledException
            )
        {
            LogOutage(exception.GetBaseException().Message);
            if (now - session.ConfirmedAt < Sessions.Unconfirmed)
            {
                await own.ExecuteUpdateAsync(set => set.SetProperty(row => row.CheckedAt, now), CancellationToken.None);
                return;
            }

            verdict = new(Over: "the provider did not confirm it for an hour");
        }

        if (verdict.Over is { } why)
        {
            await sessions.EndAsync(session.Id, why, cancellationToken);
            return;
        }

        var role = verdict.Role ?? session.Role;
        await own.ExecuteUpdateAsync(
            set => set.SetProperty(row => row.Role, role).SetProperty(row => row.ConfirmedAt, now).SetProperty(row => row.CheckedAt, now),
            CancellationToken.None
        );
        if (role != session.Role)
        {
            Log.RoleChanged(logger, session.Name, session.Role, role);
        }
    }

    private async Task<Verdict> AskAsync(AutoTicketDbContext db, Session session, ProviderGrant grant, CancellationToken cancellationToken)
    {
        var configuration = await grants.ConfigurationAsync(cancellationToken);
        IEnumerable<string>? fromIdToken = null;
        if (grant.RefreshToken is not null)
        {
            var (renewed, refusal) = await RefreshAsync(configuration, grant, cancellationToken);
            if (refusal is not null)
            {
                return new(Over: refusal);
            }

            grant = renewed!.Value.Grant;
            fromIdToken = renewed.Value.Roles;
            // Store a rotated refresh token now, because userinfo may fail.
            await StoreAsync(db, session.Id, grants.Seal(grant));
        }
        else if (grant.AccessUntil <= Clock.GetUtcNow() + Skew)
        {
            // Without a valid token the console can't ask, and a denial would mean nothing. The session lasts until it expires.
            return new();
        }

        var (fromUserInfo, unknown) = await ReadUserInfoAsync(configuration, grant, cancellationToken);
        if (unknown is not null)
        {
            return new(Over: unknown);
        }

        // The provider does not send an ID token each time; the role of the last one holds.
        if (fromIdToken is null && grant.RolesInIdToken)
        {
            return new();
        }

        return signIn.Provider!.RoleOf([.. fromIdToken ?? [], .. fromUserInfo]) is { } role
            ? new(role)
            : new(Over: $"no role any more: was {session.Role}");
    }

    private async Task StoreAsync(AutoTicketDbContext db, string id, string sealedGrant)
    {
        for (var tries = 0; ; tries++)
        {
            try
            {
                await db
                    .Sessions.Where(row => row.Id == id)
                    .ExecuteUpdateAsync(set => set.SetProperty(row => row.SealedGrant, sealedGrant), CancellationToken.None);
                return;
            }
            catch (Exception exception) when (Outages.IsOutage(exception) && tries < Retries.Length)
            {
                await Task.Delay(Retries[tries], Clock);
            }
        }
    }

    private async Task<((ProviderGrant Grant, IEnumerable<string>? Roles)? Renewed, string? Refusal)> RefreshAsync(
        OpenIdConnectConfiguration configuration,
        ProviderGrant grant,
        CancellationToken cancellationToken
    )
    {
        var options = grants.Options;
        using var form = new FormUrlEncodedContent(
            new Dictionary<string, string>
            {
                ["grant_type"] = "refresh_token",
                ["refresh_token"] = grant.RefreshToken!,
                ["client_id"] = options.ClientId!,
                ["client_secret"] = options.ClientSecret!,
            }
        );
        using var answer = await options.Backchannel.PostAsync(configuration.TokenEndpoint, form, cancellationToken);
        var body = await answer.Content.ReadAsStringAsync(cancellationToken);
        if (RefusalIn(answer.StatusCode, body) is { } refusal)
        {
            return (null, $"the provider withdrew it: {refusal}");
        }

        answer.EnsureSuccessStatusCode();
        var message = new OpenIdConnectMessage(body);
        if (string.IsNullOrEmpty(message.AccessToken))
        {
            throw new InvalidOperationException("it sent no access token");
        }

        IEnumerable<string>? roles = null;
        if (!string.IsNullOrEmpty(message.IdToken))
        {
            var parameters = options.TokenValidationParameters.Clone();
            parameters.ValidIssuer = configuration.Issuer;
            parameters.ValidAudience = options.ClientId;
            parameters.IssuerSigningKeys = configuration.SigningKeys;
            var token = await options.TokenHandler.ValidateTokenAsync(message.IdToken, parameters);
            if (!token.IsValid)
            {
                // It came from the provider over TLS, and is most likely signed with a new key.
                options.ConfigurationManager!.RequestRefresh();
                LogOutage("its new ID token can't be checked yet");
            }
            else if (token.ClaimsIdentity.FindFirst("sub")?.Value != grant.Subject)
            {
                return (null, "the provider's new ID token names another user");
            }
            else
            {
                roles = RoleClaim.Find(message.IdToken, signIn.Provider!.RoleClaim);
            }
        }

        return (
            (
                grant with
                {
                    AccessToken = message.AccessToken,
                    RefreshToken = string.IsNullOrEmpty(message.RefreshToken) ? grant.RefreshToken : message.RefreshToken,
                    IdToken = string.IsNullOrEmpty(message.IdToken) ? grant.IdToken : message.IdToken,
                },
                roles
            ),
            null
        );
    }

    /// <returns>Why the provider refuses a new token for good; null: it sent one, or the error may pass.</returns>
    private static string? RefusalIn(HttpStatusCode status, string body)
    {
        if (status is not (HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden))
        {
            return null;
        }

        string? error = null;
        try
        {
            using var json = JsonDocument.Parse(body);
            error = json.RootElement.GetProperty("error").GetString();
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            // The response of a firewall in front of the provider.
        }

        return error is null
            ? status == HttpStatusCode.BadRequest
                ? null
                : $"{(int)status}"
            : TransientErrors.Contains(error)
                ? null
                : CleanText.Cut(HiddenCharacter.Blank(error), 40);
    }

    private void LogOutage(string problem)
    {
        if (often.Take("session check") is not null)
        {
            Log.ProviderUnreachable(logger, problem);
        }
    }

    private async Task<(IEnumerable<string> Roles, string? Unknown)> ReadUserInfoAsync(
        OpenIdConnectConfiguration configuration,
        ProviderGrant grant,
        CancellationToken cancellationToken
    )
    {
        if (string.IsNullOrEmpty(configuration.UserInfoEndpoint))
        {
            return ([], null);
        }

        using var request = new HttpRequestMessage(HttpMethod.Get, configuration.UserInfoEndpoint);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", grant.AccessToken);
        using var answer = await grants.Options.Backchannel.SendAsync(request, cancellationToken);
        if (answer.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
        {
            return ([], "the provider no longer accepts its token");
        }

        answer.EnsureSuccessStatusCode();
        // A signed response is no JSON object: such a provider must put roles into the ID token.
        if (answer.Content.Headers.ContentType?.MediaType == "application/jwt")
        {
            return ([], null);
        }

        // Anything else, such as the page of a proxy, says nothing about the user and counts as an outage.
        using var json = JsonDocument.Parse(CleanText.Json(await answer.Content.ReadAsByteArrayAsync(cancellationToken)));
        if (!json.RootElement.TryGetProperty("sub", out var subject))
        {
            throw new InvalidOperationException("its userinfo names no user");
        }

        if (subject.GetString() != grant.Subject)
        {
            return ([], "the provider's userinfo names another user");
        }

        return (RoleClaim.Find(json.RootElement, signIn.Provider!.RoleClaim), null);
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "session check degraded, the provider can't be asked: {Problem}")]
        public static partial void ProviderUnreachable(ILogger logger, string problem);

        [LoggerMessage(LogLevel.Information, "session role changed actor={Actor} from={From} to={To}")]
        public static partial void RoleChanged(ILogger logger, string actor, string from, string to);
    }
}
