using System.Net;
using System.Net.Http.Json;
using System.Text.RegularExpressions;

namespace AutoTicket.Tests.Access;

/// <summary>An HTTP client that behaves like a browser behind a proxy that ends TLS. It keeps cookies and follows redirects one at a
/// time.</summary>
internal sealed partial class Visitor : IDisposable
{
    private readonly CookieContainer _cookies = new();
    private readonly HttpClient _http;

    public Visitor(Uri console)
    {
        Console = console;
        _http = new HttpClient(
            new SocketsHttpHandler
            {
                UseProxy = false,
                AllowAutoRedirect = false,
                UseCookies = false,
            }
        )
        {
            Timeout = TimeSpan.FromSeconds(60),
        };
    }

    public Uri Console { get; }

    /// <summary>The visitor's address in the proxy's X-Forwarded-For. Null: no such header.</summary>
    public string? ForwardedFor { get; init; }

    /// <summary>Replaces the target of each redirect.</summary>
    public Func<Uri, Uri> Detour { get; init; } = address => address;

    /// <summary>Headers and bodies of all responses.</summary>
    public List<string> Seen { get; } = [];

    /// <summary>Every Set-Cookie header of the console.</summary>
    public List<string> Cookies { get; } = [];

    public const string SessionCookieName = "__Host-autoticket";

    public string? SessionCookie => _cookies.GetCookies(OverTls(Console))[SessionCookieName]?.Value;

    /// <summary>Signs in at the provider; returns the last address, its status and its page.</summary>
    public async Task<(Uri Address, HttpStatusCode Status, string Page)> SignInAsync(string user, string returnUrl = "/api/status")
    {
        var (address, status, page) = await GoAsync($"/login/start?returnUrl={Uri.EscapeDataString(returnUrl)}");
        if (address.AbsolutePath.StartsWith("/interaction/", StringComparison.Ordinal))
        {
            var form = new FormUrlEncodedContent([new("prompt", "login"), new("login", user), new("password", "anything")]);
            (address, status, page) = await FollowAsync(
                await SendAsync(new(HttpMethod.Post, new Uri(address, FormAction().Match(page).Groups[1].Value)) { Content = form })
            );
        }

        return (address, status, page);
    }

    public async Task<(Uri Address, HttpStatusCode Status, string Page)> GoAsync(string path) =>
        await FollowAsync(await SendAsync(new(HttpMethod.Get, new Uri(Console, path))));

    public async Task<HttpStatusCode> AskAsync(string path) => (await SendAsync(new(HttpMethod.Get, new Uri(Console, path)))).StatusCode;

    public async Task<HttpResponseMessage> PutAsync(string path, object body) =>
        await SendAsync(new(HttpMethod.Put, new Uri(Console, path)) { Content = JsonContent.Create(body) });

    public Task<HttpResponseMessage> PostAsync(string path) => SendAsync(new(HttpMethod.Post, new Uri(Console, path)));

    public Task<HttpResponseMessage> PostJsonAsync(string path, object body) =>
        SendAsync(new(HttpMethod.Post, new Uri(Console, path)) { Content = JsonContent.Create(body) });

    /// <summary>Posts a form of the console with the antiforgery token from the page.</summary>
    public async Task<HttpResponseMessage> PostFormAsync(string page, string path, params (string Name, string Value)[] fields) =>
        await PostFormAsync(await FormAsync(page), path, fields);

    /// <summary>The antiforgery token of the page.</summary>
    public async Task<Form> FormAsync(string page) =>
        new(
            AntiforgeryToken()
                .Match(await (await SendAsync(new(HttpMethod.Get, new Uri(Console, page)))).Content.ReadAsStringAsync())
                .Groups[1]
                .Value
        );

    public sealed record Form(string Token);

    public async Task<HttpResponseMessage> PostFormAsync(Form form, string path, params (string Name, string Value)[] fields)
    {
        return await SendAsync(
            new(HttpMethod.Post, new Uri(Console, path))
            {
                Content = new FormUrlEncodedContent([
                    new("__RequestVerificationToken", form.Token),
                    .. fields.Select(field => KeyValuePair.Create(field.Name, field.Value)),
                ]),
            }
        );
    }

    /// <summary>Sends only the session's cookie, as a thief would.</summary>
    public async Task<HttpStatusCode> AskWithCookieAsync(Uri console, string cookie, string path = "/api/status")
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
        request.Headers.Add("Cookie", $"{SessionCookieName}={cookie}");
        return (await http.SendAsync(request)).StatusCode;
    }

    public async Task<(Uri Address, HttpStatusCode Status, string Page)> FollowAsync(HttpResponseMessage answer)
    {
        var address = answer.RequestMessage!.RequestUri!;
        for (var i = 0; i < 20 && answer.Headers.Location is { } to; i++)
        {
            address = new Uri(address, to);
            address = address.Authority == Console.Authority ? new UriBuilder(address) { Scheme = Console.Scheme }.Uri : address;
            answer = await SendAsync(new(HttpMethod.Get, Detour(address)));
        }

        return (address, answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request)
    {
        var address = OverTls(request.RequestUri!);
        request.Headers.TryAddWithoutValidation("Cookie", _cookies.GetCookieHeader(address));
        if (address.Authority == Console.Authority)
        {
            request.Headers.Add("X-Forwarded-Proto", "https");
            if (ForwardedFor is not null)
            {
                request.Headers.Add("X-Forwarded-For", ForwardedFor);
            }
        }

        var answer = await _http.SendAsync(request);
        foreach (var cookie in answer.Headers.TryGetValues("Set-Cookie", out var set) ? set : [])
        {
            _cookies.SetCookies(address, cookie);
            if (address.Authority == Console.Authority)
            {
                Cookies.Add(cookie);
            }
        }

        if (address.Authority == Console.Authority)
        {
            Seen.Add($"{request.RequestUri} {answer.Headers} {await answer.Content.ReadAsStringAsync()}");
        }

        return answer;
    }

    private static Uri OverTls(Uri address) => new UriBuilder(address) { Scheme = Uri.UriSchemeHttps }.Uri;

    [GeneratedRegex("action=\"([^\"]+)\"")]
    private static partial Regex FormAction();

    [GeneratedRegex("name=\"__RequestVerificationToken\" value=\"([^\"]+)\"")]
    private static partial Regex AntiforgeryToken();
}
