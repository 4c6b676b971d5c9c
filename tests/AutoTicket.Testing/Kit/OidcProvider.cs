using System.Net.Http.Json;
using System.Text.Json;

namespace AutoTicket.Tests.Kit;

/// <summary>A real OpenID provider: <c>oidc-provider</c> on Node.js in its own process. Each test sets the users.</summary>
internal sealed class OidcProvider : IAsyncDisposable
{
    public const string ClientSecret = "canary-client-secret-71f3";

    private readonly ToolProcess _process;
    private readonly HttpClient _http;

    private OidcProvider(ToolProcess process, Uri authority)
    {
        (_process, Authority) = (process, authority);
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = authority };
    }

    public Uri Authority { get; }

    public static async Task<OidcProvider> StartAsync()
    {
        var folder = Path.Combine(ContentRoot.Find(), "tests", "oidc-provider");
        if (!Directory.Exists(Path.Combine(folder, "node_modules", "oidc-provider")))
        {
            throw new InvalidOperationException($"The OpenID provider is not installed: run ./test.sh, or `npm ci` in {folder}.");
        }

        var own = Directory
            .EnumerateDirectories(Path.Combine(folder, "node_modules"), "node-*")
            .Select(package => Path.Combine(package, "bin", "node"))
            .FirstOrDefault(File.Exists);
        var port = LoopbackPort.Next();
        var process = ToolProcess.Start(own ?? "node", new Dictionary<string, string>(), Path.Combine(folder, "provider.mjs"), $"{port}");
        await process.Output.WaitForLineAsync(line => line == $"listening on {port}", Eventually.Patience);
        return new OidcProvider(process, new Uri($"http://127.0.0.1:{port}"));
    }

    /// <param name="roles">Null: the user does not exist, or no longer exists.</param>
    public async Task SetUserAsync(string user, params string[]? roles) =>
        (await _http.PostAsJsonAsync("/control", new { user, roles })).EnsureSuccessStatusCode();

    /// <param name="claims">An object with <c>id_token</c> and <c>userinfo</c>, which hold the claims of each.</param>
    public async Task SetClaimsAsync(string user, JsonElement claims) =>
        (await _http.PostAsJsonAsync("/control", new { user, claims })).EnsureSuccessStatusCode();

    /// <summary>From now on the user's userinfo carries another subject, as from a provider that confuses its users.</summary>
    public async Task SetUserinfoSubjectAsync(string user, string subject, params string[] roles) =>
        (
            await _http.PostAsJsonAsync(
                "/control",
                new
                {
                    user,
                    roles,
                    subject,
                }
            )
        ).EnsureSuccessStatusCode();

    /// <summary>From now on the path sends this response to everybody. Null: the provider's own response.</summary>
    /// <param name="path"><c>/token</c>, or <c>/me</c>, which is userinfo.</param>
    public async Task OverrideResponseAsync(string path, int? status, string text = "") =>
        (
            await _http.PostAsJsonAsync(
                "/control",
                new
                {
                    path,
                    status,
                    text,
                }
            )
        ).EnsureSuccessStatusCode();

    /// <param name="client">Where roles are sent: <c>roles-in-userinfo</c>, <c>roles-in-id-token</c>, or <c>no-refresh-token</c>.</param>
    public Dictionary<string, string?> Settings(string client = "roles-in-userinfo") =>
        new()
        {
            ["OIDC_AUTHORITY"] = Authority.AbsoluteUri.TrimEnd('/'),
            ["OIDC_CLIENT_ID"] = client,
            ["OIDC_CLIENT_SECRET"] = ClientSecret,
            ["OIDC_RECHECK_INTERVAL"] = "00:00:01",
            ["OIDC_ROLE_MAP"] = "sre=admin, on-call=operator, staff=viewer",
        };

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _process.DisposeAsync();
    }
}
