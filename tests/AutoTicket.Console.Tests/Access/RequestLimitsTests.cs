using System.Security.Claims;
using AutoTicket.Security;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Access;

/// <summary>Which requests share a limit, and which have none.</summary>
public sealed class RequestLimitsTests
{
    [Fact]
    public async Task The_pages_of_an_unnamed_user_count_against_no_other_request()
    {
        using var limits = new RequestLimits(new CircuitLimits(PerSession: 1, InAll: 10, Retained: 1));
        var nameless = new ClaimsPrincipal(new ClaimsIdentity("a test"));
        var open = new TaskCompletionSource();
        var page = limits.InvokeAsync(Request("/_blazor", nameless), _ => open.Task);
        var refused = Request("/_blazor", nameless);
        await limits.InvokeAsync(refused, _ => Task.CompletedTask);
        Assert.Equal(429, refused.Response.StatusCode);

        var isServed = false;
        await limits.InvokeAsync(
            Request("/api/status", nameless),
            _ =>
            {
                isServed = true;
                return Task.CompletedTask;
            }
        );

        Assert.True(isServed);
        open.SetResult();
        await page;
    }

    private static DefaultHttpContext Request(string path, ClaimsPrincipal user)
    {
        var context = new DefaultHttpContext
        {
            User = user,
            Request = { Method = "GET", Path = path },
            RequestServices = new ServiceCollection().AddLogging().BuildServiceProvider(),
        };
        if (path == "/_blazor")
        {
            context.SetEndpoint(new Endpoint(null, new EndpointMetadataCollection(new HubMetadata(typeof(Hub))), path));
            context.Features.Set<IHttpUpgradeFeature>(new WebSocketRequest());
        }

        return context;
    }

    private sealed class WebSocketRequest : IHttpUpgradeFeature
    {
        public bool IsUpgradableRequest => true;

        public Task<Stream> UpgradeAsync() => throw new NotSupportedException();
    }
}
