using System.Net;
using System.Net.WebSockets;
using System.Text.RegularExpressions;
using AutoTicket.Security;
using AutoTicket.Tests.Kit;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Routing;

namespace AutoTicket.Tests.Structure;

/// <summary>Requests every endpoint in the console's route table, without signing in, in Production.</summary>
public sealed partial class DefaultDenyTests(DefaultDenyTests.Production production) : IClassFixture<DefaultDenyTests.Production>
{
    /// <summary>The endpoints that answer without a sign-in. Each exception is deliberate.</summary>
    private static readonly string[] Open = ["/login", "/login/start", "/healthz/live", "/healthz/ready"];

    /// <summary>Endpoints with their own token or signature. Without it they answer 401, or 503 if none is configured.</summary>
    private static readonly string[] Intakes = ["/api/alerts", "/api/v2/alerts", "/api/alerts/alertmanager", "/api/freescout/webhook"];

    /// <summary>Writes that only need a sign-in, because they only concern the user's own session.</summary>
    private static readonly string[] OwnSessionWrites =
    [
        "/logout",
        "/_blazor",
        "/_blazor/disconnect",
        "/_blazor/initializers",
        "/_blazor/negotiate",
        "/_framework/opaque-redirect",
    ];

    [Fact]
    public async Task An_anonymous_visitor_gets_only_the_sign_in_page()
    {
        var answered = new List<string>();
        var asked = new List<string>();
        foreach (var (endpoint, method, path) in Endpoints())
        {
            asked.Add(path);
            using var answer = await production.AskAsync(new(new HttpMethod(method), path));
            var isDenied =
                (int)answer.StatusCode is 401 or 403
                || (Intakes.Contains(path) && (int)answer.StatusCode == 503)
                || ((int)answer.StatusCode == 302 && answer.Headers.Location!.OriginalString.Contains("/login?", StringComparison.Ordinal));
            if (!isDenied && !Open.Contains(path))
            {
                answered.Add($"{method} {path}: {(int)answer.StatusCode}");
            }
        }

        Assert.Empty(answered);
        Assert.InRange(asked.Count, 25, 1000);
        // The route table includes the hub of the circuits.
        Assert.Contains("/_blazor", asked);
        Assert.Contains("/_blazor/negotiate", asked);
    }

    [Fact]
    public async Task An_anonymous_visitor_gets_no_circuit()
    {
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("X-Forwarded-Proto", "https");
        socket.Options.CollectHttpResponseDetails = true;
        await Assert.ThrowsAsync<WebSocketException>(() =>
            socket.ConnectAsync(new UriBuilder(production.Console.Address) { Scheme = "ws", Path = "/_blazor" }.Uri, CancellationToken.None)
        );
        Assert.Equal(HttpStatusCode.Unauthorized, socket.HttpStatusCode);
    }

    [Fact]
    [Trait("Pitfall", "T-65")]
    public void Every_write_names_the_right_that_it_needs()
    {
        var unsaid = Endpoints()
            .Where(asked =>
                asked.Method is not ("GET" or "HEAD" or "OPTIONS")
                && !Intakes.Contains(asked.Path)
                && !OwnSessionWrites.Contains(asked.Path)
                && !Open.Contains(asked.Path)
            )
            // Pages accept POST too, but write nothing.
            .Where(asked => asked.Endpoint.Metadata.GetMetadata<Microsoft.AspNetCore.Components.Endpoints.ComponentTypeMetadata>() is null)
            .Where(asked =>
                !asked
                    .Endpoint.Metadata.GetOrderedMetadata<IAuthorizeData>()
                    .Any(data => data.Policy is Rights.Operate or Rights.Administer)
            )
            .Select(asked => $"{asked.Method} {asked.Path}");
        Assert.Empty(unsaid);
    }

    [Fact]
    public async Task No_write_is_accepted_from_another_sites_page()
    {
        // In Development the local user is signed in automatically, and so is any page in their browser.
        await using var console = await ConsoleHost.StartAsync();
        var taken = new List<string>();
        foreach (
            var (endpoint, method, path) in Endpoints(console)
                .Where(asked => asked.Method is not ("GET" or "HEAD" or "OPTIONS") && !Intakes.Contains(asked.Path))
        )
        {
            foreach (var (name, value) in new[] { ("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example") })
            {
                using var request = new HttpRequestMessage(new HttpMethod(method), path)
                {
                    Content = new StringContent("{}", null, "application/json"),
                };
                request.Headers.Add(name, value);
                using var answer = await console.Http.SendAsync(request);
                if ((int)answer.StatusCode is not (400 or 403 or 415))
                {
                    taken.Add($"{method} {path}: {(int)answer.StatusCode}");
                }
            }
        }

        Assert.Empty(taken);
    }

    private IEnumerable<(RouteEndpoint Endpoint, string Method, string Path)> Endpoints() => Endpoints(production.Console);

    // Without static assets: the sign-in page needs them, and they are public.
    private static IEnumerable<(RouteEndpoint Endpoint, string Method, string Path)> Endpoints(ConsoleHost console) =>
        from endpoint in console.Get<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
        where endpoint.Metadata.GetMetadata<Microsoft.AspNetCore.StaticAssets.StaticAssetDescriptor>() is null
        from method in endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? ["GET", "POST"]
        select (
            endpoint,
            method,
            "/" + Parameter().Replace(endpoint.RoutePattern.RawText!.TrimStart('/').TrimStart('~', '/'), "x").TrimEnd('/')
        );

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Parameter();

    public sealed class Production : IAsyncLifetime, IDisposable
    {
        private readonly HttpClient _http = new(
            new SocketsHttpHandler
            {
                UseProxy = false,
                AllowAutoRedirect = false,
                UseCookies = false,
            }
        );

        internal ConsoleHost Console { get; private set; } = null!;

        /// <summary>Sends the request as a proxy on the same machine that terminates TLS would.</summary>
        internal Task<HttpResponseMessage> AskAsync(HttpRequestMessage request)
        {
            request.RequestUri = new Uri(Console.Address, request.RequestUri!);
            request.Headers.Add("X-Forwarded-Proto", "https");
            return _http.SendAsync(request);
        }

        public async Task InitializeAsync() =>
            Console = await ConsoleHost.StartAsync(
                environment: "Production",
                settings: new Dictionary<string, string?> { ["CONSOLE_OPERATOR_PASSWORD_HASH"] = Login.Hash("a test") }
            );

        public async Task DisposeAsync() => await Console.DisposeAsync();

        public void Dispose() => _http.Dispose();
    }
}
