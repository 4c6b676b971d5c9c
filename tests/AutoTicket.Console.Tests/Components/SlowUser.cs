using AutoTicket.Security;
using Microsoft.AspNetCore.Components.Authorization;

namespace AutoTicket.Tests.Components;

/// <summary>A user who is still being looked up.</summary>
internal sealed class SlowUser : AuthenticationStateProvider
{
    private readonly TaskCompletionSource<AuthenticationState> _state = new();

    public int Asked { get; private set; }

    public static AuthenticationState In(string role) => new(Schemes.Principal("ada", role, Schemes.Token));

    public void Be(string role) => _state.SetResult(In(role));

    public override Task<AuthenticationState> GetAuthenticationStateAsync()
    {
        Asked++;
        return _state.Task;
    }
}
