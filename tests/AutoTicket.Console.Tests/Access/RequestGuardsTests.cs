using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Net.WebSockets;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Security;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.SignalR;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Access;

/// <summary>The checks before every request: headers, proxies, hosts, origins and sizes.</summary>
public sealed class RequestGuardsTests
{
    private static readonly Dictionary<string, string?> Password = new()
    {
        ["CONSOLE_OPERATOR_PASSWORD_HASH"] = Login.Hash("a test's password"),
    };

    [Theory]
    [
        InlineData("/login"),
        InlineData("/console/status"),
        InlineData("/api/status"),
        InlineData("/no-such"),
        InlineData("/healthz/live"),
        InlineData("/_content/MudBlazor/MudBlazor.min.js")
    ]
    public async Task Every_answer_of_Production_has_the_safe_headers(string path)
    {
        await using var console = await ConsoleHost.StartAsync(settings: Password, environment: "Production");
        using var answer = await AskAsync(console.Address, path, ("X-Forwarded-Proto", "https"), ("Host", "console.example.org"));

        var policy = answer.Headers.GetValues("Content-Security-Policy").Single();
        Assert.Contains("script-src 'self';", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("form-action 'self';", policy, StringComparison.Ordinal);
        Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.Equal("same-origin", answer.Headers.GetValues("Referrer-Policy").Single());
        Assert.Equal("same-origin", answer.Headers.GetValues("Cross-Origin-Resource-Policy").Single());
        Assert.Equal("DENY", answer.Headers.GetValues("X-Frame-Options").Single());
        Assert.Equal("max-age=31536000; includeSubDomains", answer.Headers.GetValues("Strict-Transport-Security").Single());
        Assert.False(answer.Headers.Contains("Server"));
        Assert.Equal(path.StartsWith("/_content", StringComparison.Ordinal), !answer.Headers.CacheControl!.NoStore);
    }

    [Fact]
    public async Task A_proxy_is_trusted_on_loopback_and_on_Heroku_only()
    {
        var here = new Uri("http://127.0.0.1");
        var elsewhere = NetworkInterface
            .GetAllNetworkInterfaces()
            .SelectMany(network => network.GetIPProperties().UnicastAddresses)
            .Select(address => address.Address)
            .FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address));
        await using var console = await ConsoleHost.StartAsync(
            settings: new Dictionary<string, string?>(Password) { ["urls"] = "http://0.0.0.0:0" },
            environment: "Production"
        );
        // On Heroku the console runs only on PostgreSQL.
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var dyno = await ConsoleHost.StartAsync(
            database,
            settings: new Dictionary<string, string?>(Password) { ["urls"] = "http://0.0.0.0:0", ["DYNO"] = "web.1" },
            environment: "Production"
        );

        // A hosting platform may set this variable for every ASP.NET application.
        await using var trusting = await ConsoleHost.StartAsync(
            settings: new Dictionary<string, string?>(Password) { ["urls"] = "http://0.0.0.0:0", ["ForwardedHeaders_Enabled"] = "true" },
            environment: "Production"
        );
        await using var behind = await ConsoleHost.StartAsync(
            settings: new Dictionary<string, string?>(Password)
            {
                ["urls"] = "http://0.0.0.0:0",
                ["TRUSTED_PROXIES"] = $"fd00::/8, {elsewhere}",
            },
            environment: "Production"
        );

        Assert.True(await BelievesAsync(console, here.Host));
        Assert.True(await BelievesAsync(dyno, here.Host));
        // A machine that has only a loopback address can't be called from another one.
        if (elsewhere is not null)
        {
            Assert.False(await BelievesAsync(console, elsewhere.ToString()));
            Assert.False(await BelievesAsync(trusting, elsewhere.ToString()));
            Assert.True(await BelievesAsync(behind, elsewhere.ToString()));
            Assert.True(await BelievesAsync(dyno, elsewhere.ToString()));
        }

        // The console redirects plain HTTP on Heroku's router to HTTPS, except for the health probes.
        Assert.Equal(
            "https://console.example.org/login",
            (
                await AskAsync(
                    new UriBuilder(dyno.Address) { Host = here.Host }.Uri,
                    "/login",
                    ("Host", "console.example.org"),
                    ("X-Forwarded-Proto", "http")
                )
            )
                .Headers
                .Location
                ?.AbsoluteUri
        );
        Assert.Equal(
            HttpStatusCode.OK,
            (
                await AskAsync(new UriBuilder(dyno.Address) { Host = here.Host }.Uri, "/healthz/live", ("X-Forwarded-Proto", "http"))
            ).StatusCode
        );

        // Only a response over HTTPS has the HSTS header, so the header shows whether the console trusts X-Forwarded-Proto.
        static async Task<bool> BelievesAsync(ConsoleHost console, string host) =>
            (
                await AskAsync(
                    new UriBuilder(console.Address) { Host = host }.Uri,
                    "/healthz/live",
                    ("Host", "console.example.org"),
                    ("X-Forwarded-Proto", "https")
                )
            ).Headers.Contains("Strict-Transport-Security");
    }

    [Fact]
    public void Heroku_and_trusted_proxies_exclude_each_other()
    {
        var builder = WebApplication.CreateBuilder();
        (builder.Configuration["DYNO"], builder.Configuration["TRUSTED_PROXIES"]) = ("web.1", "192.0.2.7");

        var refusal = Assert.Throws<ConfigurationException>(builder.AddRequestGuards);
        Assert.StartsWith("TRUSTED_PROXIES can't be used on Heroku", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Outside_Development_every_cookie_is_a_Host_cookie_over_TLS_and_the_sign_in_page_says_so_over_http()
    {
        await using var console = await ConsoleHost.StartAsync(settings: Password, environment: "Staging");
        using var visitor = new Visitor(console.Address);
        await visitor.PostFormAsync("/login", "/login", ("password", "a test's password"));

        var cookies = visitor.Cookies.ToList();
        Assert.Equal(["__Host-autoticket", "__Host-autoticket-form"], cookies.Select(cookie => cookie.Split('=')[0]).Distinct().Order());
        Assert.All(cookies, cookie => Assert.Contains("; path=/; secure; ", cookie, StringComparison.Ordinal));
        Assert.All(cookies, cookie => Assert.DoesNotContain("domain", cookie, StringComparison.Ordinal));
        using var overTls = await AskAsync(console.Address, "/login", ("X-Forwarded-Proto", "https"), ("Host", "console.example.org"));
        Assert.Equal("max-age=31536000; includeSubDomains", overTls.Headers.GetValues("Strict-Transport-Security").Single());
        using var overHttp = await AskAsync(console.Address, "/login");
        Assert.Contains("Sign-in needs HTTPS", await overHttp.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain("Sign-in needs HTTPS", (await visitor.GoAsync("/login")).Page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pages_answer_only_under_the_public_or_a_loopback_host_and_the_API_under_any()
    {
        var settings = new Dictionary<string, string?>(Password) { ["CONSOLE_PUBLIC_URL"] = "https://console.example.org" };
        await using var console = await ConsoleHost.StartAsync(settings: settings, environment: "Staging");
        foreach (var path in new[] { "/login", "/console/status", "/login/start", "/signin-oidc", "/_blazor" })
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await AskAsync(console.Address, path, ("Host", "evil.example"))).StatusCode);
            Assert.Equal(
                HttpStatusCode.BadRequest,
                (await AskAsync(console.Address, path, ("Host", "console.example.org.evil.example"))).StatusCode
            );
        }

        Assert.Equal(HttpStatusCode.OK, (await AskAsync(console.Address, "/login", ("Host", "CONSOLE.example.org:8443"))).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(console.Address, "/login")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(console.Address, "/healthz/live", ("Host", "10.0.0.7:8080"))).StatusCode);
        Assert.Equal(
            HttpStatusCode.Unauthorized,
            (await AskAsync(console.Address, "/api/status", ("Host", "console.internal"))).StatusCode
        );
    }

    [Theory, InlineData("/login"), InlineData("/console/status"), InlineData("/api/status")]
    public async Task An_invalid_X_Forwarded_Proto_is_a_400(string path)
    {
        await using var console = await ConsoleHost.StartAsync(settings: Password, environment: "Staging");
        Assert.Equal(HttpStatusCode.BadRequest, (await AskAsync(console.Address, path, ("X-Forwarded-Proto", "nonsense"))).StatusCode);
        Assert.NotEqual(HttpStatusCode.BadRequest, (await AskAsync(console.Address, path, ("X-Forwarded-Proto", "HTTPS"))).StatusCode);
    }

    [Theory]
    [InlineData("https://evil.example", false), InlineData("null", false), InlineData("http://127.0.0.1:1", false), InlineData(null, true)]
    public async Task A_circuit_is_opened_only_from_the_consoles_own_pages(string? origin, bool isOpened)
    {
        await using var console = await ConsoleHost.StartAsync();
        using var own = await ConnectAsync(console, null, console.Address.GetLeftPart(UriPartial.Authority));
        Assert.Equal(WebSocketState.Open, own.State);
        using var socket = await ConnectAsync(console, null, origin);
        Assert.Equal(isOpened, socket.State == WebSocketState.Open);
    }

    [Fact]
    public async Task Open_pages_are_limited_per_session_and_in_total()
    {
        await using var console = await ConsoleHost.StartAsync(
            settings: new Dictionary<string, string?>(Password) { ["Circuits:PerSession"] = "2", ["Circuits:InAll"] = "3" },
            environment: "Staging",
            // The test's sockets send no handshake.
            services: services => services.Configure<HubOptions>(hub => hub.HandshakeTimeout = TimeSpan.FromMinutes(5))
        );
        var (ada, bea) = (await SignInAsync(console), await SignInAsync(console));
        using var first = await ConnectAsync(console, ada);
        using var second = await ConnectAsync(console, ada);
        Assert.Equal((WebSocketState.Open, WebSocketState.Open), (first.State, second.State));
        Assert.Equal(HttpStatusCode.TooManyRequests, (await ConnectAsync(console, ada)).HttpStatusCode);
        using var hers = await ConnectAsync(console, bea);
        Assert.Equal(WebSocketState.Open, hers.State);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await ConnectAsync(console, bea)).HttpStatusCode);

        first.Abort();
        await Eventually.TrueAsync(
            async () => (await ConnectAsync(console, bea)).State == WebSocketState.Open,
            "a closed page frees its slot"
        );
    }

    [Theory, InlineData(40_000, false), InlineData(200, true)]
    public async Task Invalid_or_oversized_circuit_messages_end_only_that_circuit(int length, bool isRubbish)
    {
        await using var console = await ConsoleHost.StartAsync();
        using var socket = await ConnectAsync(console, null);
        await socket.SendAsync("{\"protocol\":\"blazorpack\",\"version\":1}\u001e"u8.ToArray(), WebSocketMessageType.Text, true, default);
        var message = new byte[length];
        Array.Fill(message, (byte)0xc1);
        if (!isRubbish)
        {
            // The length prefix says that all of it is one message.
            (message[0], message[1], message[2]) = (0xff, 0xff, 0x7f);
        }

        await socket.SendAsync(message, WebSocketMessageType.Binary, true, default);

        // The console sends a close message or cuts the connection.
        using var patience = new CancellationTokenSource(Eventually.Patience);
        await Eventually.TrueAsync(
            async () =>
                socket.State != WebSocketState.Open
                || (await socket.ReceiveAsync(new byte[4096], patience.Token)).MessageType == WebSocketMessageType.Close,
            "the page's connection ended"
        );
        Assert.Equal(HttpStatusCode.OK, (await console.Http.GetAsync(new Uri("/api/status", UriKind.Relative))).StatusCode);
    }

    [Fact]
    public async Task A_request_over_32_kilobytes_is_not_read()
    {
        await using var console = await ConsoleHost.StartAsync();
        // By default the client sends the body after a second without a response, and the console closes the connection.
        using var client = new HttpClient(new SocketsHttpHandler { Expect100ContinueTimeout = Eventually.Patience })
        {
            BaseAddress = console.Http.BaseAddress,
        };
        using var request = new HttpRequestMessage(HttpMethod.Put, "/api/flags/x")
        {
            Content = new ByteArrayContent(new byte[32 * 1024 + 1]),
        };
        request.Content.Headers.ContentType = new("application/json");
        request.Headers.ExpectContinue = true;
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await client.SendAsync(request)).StatusCode);
    }

    [Fact]
    public async Task Spreadsheet_formulas_are_exported_as_text()
    {
        await using var console = await ConsoleHost.StartAsync();
        await using var db = console.Get<IDbContextFactory<AutoTicketDbContext>>().CreateDbContext();
        string[] actors = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "plain \"quoted\""];
        db.AuditLog.AddRange(
            actors.Select(actor => new AuditEntry
            {
                CreatedAt = TimeProvider.System.GetUtcNow(),
                Action = "a.test",
                Actor = actor,
                Payload = "{}",
            })
        );
        await db.SaveChangesAsync();

        var csv = await console.Http.GetStringAsync(new Uri("/api/audit.csv?action=a.test", UriKind.Relative));

        Assert.Contains("\"'=1+1\"", csv, StringComparison.Ordinal);
        Assert.All(actors[..^1], actor => Assert.Contains($"\"'{actor}\"", csv, StringComparison.Ordinal));
        Assert.Contains("\"plain \"\"quoted\"\"\"", csv, StringComparison.Ordinal);
    }

    private static async Task<string> SignInAsync(ConsoleHost console)
    {
        using var visitor = new Visitor(console.Address);
        await visitor.PostFormAsync("/login", "/login", ("password", "a test's password"));
        return visitor.SessionCookie!;
    }

    /// <summary>Opens a page's connection. If it is refused, the socket holds the status code.</summary>
    private static async Task<ClientWebSocket> ConnectAsync(ConsoleHost console, string? cookie, string? origin = null)
    {
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        if (origin is not null)
        {
            socket.Options.SetRequestHeader("Origin", origin);
        }

        if (cookie is not null)
        {
            socket.Options.SetRequestHeader("Cookie", $"{Visitor.SessionCookieName}={cookie}");
        }

        try
        {
            await socket.ConnectAsync(new UriBuilder(console.Address) { Scheme = "ws", Path = "/_blazor" }.Uri, CancellationToken.None);
        }
        catch (WebSocketException)
        {
            // The caller reads the state and the status code from the socket.
        }

        return socket;
    }

    private static async Task<HttpResponseMessage> AskAsync(Uri console, string path, params (string Name, string Value)[] headers)
    {
        using var http = new HttpClient(
            new SocketsHttpHandler
            {
                UseProxy = false,
                AllowAutoRedirect = false,
                UseCookies = false,
            }
        );
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(console, path));
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return await http.SendAsync(request);
    }
}
