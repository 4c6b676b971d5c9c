using System.Security.Claims;
using AutoTicket.Security;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace AutoTicket.Tests.Access;

/// <summary>Which requests share a limit, and which have none.</summary>
public sealed class RequestLimitsTests
{
    [Fact]
    public async Task The_pages_of_an_unnamed_user_count_against_no_other_request()
    {
        var limits = new RequestLimits(new CircuitLimits(PerSession: 1, InAll: 10, Retained: 1));
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

        var next = Request("/_blazor", nameless);
        await limits.InvokeAsync(next, _ => Task.CompletedTask);
        Assert.Equal(200, next.Response.StatusCode);
    }

    [Fact]
    public async Task The_sessions_of_one_user_leave_pages_for_the_others()
    {
        var limits = new RequestLimits(new CircuitLimits(PerSession: 2, InAll: 4, Retained: 1));
        var open = new TaskCompletionSource();

        foreach (var session in new[] { "one", "another" })
        {
            Assert.Equal(200, await OpenAsync("vera", session));
        }

        Assert.Equal(429, await OpenAsync("vera", "a third"));
        Assert.Equal(200, await OpenAsync("olga", "hers"));

        async Task<int> OpenAsync(string user, string session)
        {
            var identity = new ClaimsIdentity([new(ClaimTypes.Name, user), new(Schemes.SessionClaim, session)], Schemes.Cookie);
            var request = Request("/_blazor", new ClaimsPrincipal(identity));
            _ = limits.InvokeAsync(request, _ => open.Task);
            await Task.Yield();
            return request.Response.StatusCode;
        }
    }

    [Fact]
    public void Each_key_has_its_number_in_its_own_minute_and_is_then_forgotten()
    {
        var clock = new FakeTimeProvider();
        var limit = new MinuteLimit(most: 2, clock);

        Assert.Equal([true, true, false], new[] { limit.TryTake("a"), limit.TryTake("a"), limit.TryTake("a") });
        clock.Advance(TimeSpan.FromSeconds(40));
        Assert.True(limit.TryTake("b"));
        Assert.False(limit.TryTake("a"));
        clock.Advance(TimeSpan.FromSeconds(20));
        Assert.True(limit.TryTake("a"));
        clock.Advance(TimeSpan.FromSeconds(61));
        Assert.True(limit.TryTake("c"));
        Assert.Equal(1, limit.Count);
    }

    [Fact]
    public void A_stranger_with_many_addresses_fills_no_memory_and_gets_one_share_for_the_rest()
    {
        var limit = new MinuteLimit(most: 2, new FakeTimeProvider());
        Assert.True(limit.TryTake("known"));

        var taken = Enumerable.Range(0, 20_000).Count(n => limit.TryTake($"stranger {n}"));

        Assert.Equal(10_001, limit.Count);
        Assert.Equal(10_001, taken);
        Assert.True(limit.TryTake("known"));
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
