using System.Security.Claims;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.AspNetCore.Components.Server;

namespace AutoTicket.Security;

/// <summary>The user of an open page. When the session ends, the page has no user; when the role changes, the page gets the new
/// one.</summary>
internal sealed class SessionState : ServerAuthenticationStateProvider, IDisposable
{
    private readonly Sessions _sessions;
    private readonly Lock _lock = new();
    private (string Session, IDisposable Watch)? _watched;

    public SessionState(Sessions sessions)
    {
        _sessions = sessions;
        AuthenticationStateChanged += WatchAsync;
    }

    // The framework sets the state once, when a circuit or a rendering starts. This class sets it from then on.
    private async void WatchAsync(Task<AuthenticationState> state)
    {
        var user = (await state).User;
        var id = Schemes.SessionOf(user);
        lock (_lock)
        {
            if (id == _watched?.Session)
            {
                return;
            }

            _watched?.Watch.Dispose();
            _watched = id is null ? null : (id, _sessions.Watch(id, session => Set(user, session)));
        }
    }

    private void Set(ClaimsPrincipal user, Session? session)
    {
        var known = GetAuthenticationStateAsync();
        var now = Sessions.Current(user, session) ?? new ClaimsPrincipal(new ClaimsIdentity());
        if (known is { IsCompletedSuccessfully: true } && Roles.Of(known.Result.User) != Roles.Of(now))
        {
            SetAuthenticationState(Task.FromResult(new AuthenticationState(now)));
        }
    }

    public void Dispose()
    {
        AuthenticationStateChanged -= WatchAsync;
        lock (_lock)
        {
            _watched?.Watch.Dispose();
        }
    }
}
