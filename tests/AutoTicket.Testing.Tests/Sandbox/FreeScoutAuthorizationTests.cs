using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace AutoTicket.Tests.Sandbox;

public sealed class FreeScoutAuthorizationTests : SandboxTest
{
    [Fact]
    public async Task The_key_is_taken_from_its_header_from_Basic_and_from_the_query()
    {
        Assert.Equal(
            HttpStatusCode.OK,
            await StatusAsync("users", request => request.Headers.Add("X-FreeScout-API-Key", FreeScout.ApiKey))
        );
        Assert.Equal(
            HttpStatusCode.OK,
            await StatusAsync("users", request => request.Headers.Authorization = Basic(FreeScout.ApiKey + ":x"))
        );
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("users?api_key=" + FreeScout.ApiKey));
    }

    [Fact]
    public async Task Any_other_authentication_is_refused()
    {
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync("users"));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync("users?api_key=wrong"));
        Assert.Equal(
            HttpStatusCode.Unauthorized,
            await StatusAsync("users", request => request.Headers.Authorization = Basic("wrong:" + FreeScout.ApiKey))
        );
        Assert.Equal(
            HttpStatusCode.Unauthorized,
            await StatusAsync("users", request => request.Headers.Authorization = new("Basic", "%%%"))
        );
        Assert.Equal(
            HttpStatusCode.Unauthorized,
            await StatusAsync("users", request => request.Headers.Authorization = new("Bearer", FreeScout.ApiKey))
        );
    }

    [Fact]
    public async Task A_bearer_token_beside_the_key_header_is_ignored_and_both_are_recorded()
    {
        var status = await StatusAsync(
            "users",
            request =>
            {
                request.Headers.Add("X-FreeScout-API-Key", FreeScout.ApiKey);
                request.Headers.Authorization = new("Bearer", FreeScout.ApiKey);
            }
        );

        Assert.Equal(HttpStatusCode.OK, status);
        var recorded = Assert.Single(FreeScout.RecordedRequests);
        Assert.Equal(FreeScout.ApiKey, recorded.Header("x-freescout-api-key"));
        Assert.Equal("Bearer " + FreeScout.ApiKey, recorded.Header("authorization"));
        Assert.Equal(("GET", "/freescout/api/users"), (recorded.Method, recorded.PathAndQuery));
    }

    [Fact]
    public async Task A_refusal_says_Not_Authorized()
    {
        FreeScout.ApiKey = "regenerated";

        using var response = await Http.GetAsync(new Uri("users", UriKind.Relative));

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("""{"message":"Not Authorized"}""", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task An_untrusted_host_is_refused_before_the_key_is_checked()
    {
        FreeScout.AppHost = "tickets.example.org";

        using var response = await Http.GetAsync(new Uri("users", UriKind.Relative));

        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Contains(
            "Untrusted Host: 127.0.0.1. Add the following to your .env file",
            await response.Content.ReadAsStringAsync(),
            StringComparison.Ordinal
        );
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync("users", request => request.Headers.Host = "api.tickets.example.org"));
    }

    private async Task<HttpStatusCode> StatusAsync(string path, Action<HttpRequestMessage>? prepare = null)
    {
        Http.DefaultRequestHeaders.Clear();
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        prepare?.Invoke(request);
        using var response = await Http.SendAsync(request);
        return response.StatusCode;
    }

    private static AuthenticationHeaderValue Basic(string text) => new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(text)));
}
