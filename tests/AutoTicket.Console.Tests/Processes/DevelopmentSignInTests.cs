using System.Net;
using System.Net.Http.Json;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Processes;

/// <summary>In Development a user at this machine is signed in automatically. A foreign page in their browser is not.</summary>
public sealed class DevelopmentSignInTests
{
    [Fact]
    public async Task Only_a_loopback_client_and_host_are_signed_in_and_writes_must_be_same_origin_JSON()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var console = await ConsoleHost.StartAsync(
            sandbox: sandbox,
            settings: ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url)
        );

        Assert.Equal(HttpStatusCode.OK, await AskAsync(HttpMethod.Get, "/api/status"));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(HttpMethod.Get, "/api/status", ("Host", "evil.example")));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(HttpMethod.Get, "/api/status", ("X-Forwarded-For", "203.0.113.9")));
        foreach (
            var proxied in new[]
            {
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Host", "evil.example"),
                ("Forwarded", "for=127.0.0.1"),
                ("Via", "1.1 x"),
            }
        )
        {
            Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(HttpMethod.Get, "/api/status", proxied));
        }

        foreach (
            var (method, path, body) in new (HttpMethod, string, HttpContent?)[]
            {
                (HttpMethod.Post, "/api/surfaces/nobody/investigate", null),
                (HttpMethod.Put, "/api/flags/nobody", JsonContent.Create(new { enabled = true, reason = "a test" })),
            }
        )
        {
            Assert.Equal(HttpStatusCode.NotFound, await SendAsync(method, path, body));
            Assert.Equal(
                HttpStatusCode.NotFound,
                await SendAsync(method, path, body, ("Origin", console.Address.GetLeftPart(UriPartial.Authority)))
            );
            Assert.Equal(HttpStatusCode.Forbidden, await SendAsync(method, path, body, ("Sec-Fetch-Site", "cross-site")));
            Assert.Equal(HttpStatusCode.Forbidden, await SendAsync(method, path, body, ("Sec-Fetch-Site", "same-site")));
            Assert.Equal(HttpStatusCode.Forbidden, await SendAsync(method, path, body, ("Origin", "https://evil.example")));
            Assert.Equal(HttpStatusCode.Forbidden, await SendAsync(method, path, body, ("Origin", "null")));
            Assert.Equal(
                HttpStatusCode.UnsupportedMediaType,
                await SendAsync(method, path, new FormUrlEncodedContent([new("enabled", "true")]))
            );
            Assert.Equal(HttpStatusCode.UnsupportedMediaType, await SendAsync(method, path, new StringContent("{}")));
        }

        Task<HttpStatusCode> AskAsync(HttpMethod method, string path, params (string Name, string Value)[] headers) =>
            SendAsync(method, path, null, headers);

        async Task<HttpStatusCode> SendAsync(
            HttpMethod method,
            string path,
            HttpContent? body,
            params (string Name, string Value)[] headers
        )
        {
            using var request = new HttpRequestMessage(method, path)
            {
                Content = body is JsonContent json ? JsonContent.Create(json.Value) : body,
            };
            foreach (var (name, value) in headers)
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }

            using var answer = await console.Http.SendAsync(request);
            return answer.StatusCode;
        }
    }
}
