using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace AutoTicket.Tests.Access;

/// <summary>A provider, or an attacker in its place, whose ID tokens are signed as each test chooses.</summary>
public sealed class IdTokenTests
{
    private const string Client = "autoticket";

    [Theory, InlineData("RS256", true), InlineData("none", false), InlineData("cut off", false), InlineData("another key", false)]
    public async Task An_ID_token_counts_only_with_the_providers_signature(string signature, bool isLetIn)
    {
        using var key = RSA.Create(2048);
        using var another = RSA.Create(2048);
        await using var provider = await StartAsync(
            key,
            (token) =>
                signature switch
                {
                    "none" => $"{Part(new { alg = "none", typ = "JWT" })}.{token}.",
                    "RS256" => Signed(token, key),
                    "cut off" => Signed(token, key)[..(Signed(token, key).LastIndexOf('.') + 1)],
                    _ => Signed(token, another),
                }
        );
        var settings = new Dictionary<string, string?>
        {
            ["OIDC_AUTHORITY"] = provider.Urls.First(),
            ["OIDC_CLIENT_ID"] = Client,
            ["OIDC_CLIENT_SECRET"] = "a test's secret",
        };
        await using var console = await ConsoleHost.StartAsync(settings: settings, environment: "Staging");
        using var visitor = new Visitor(console.Address);

        var (address, _, _) = await visitor.SignInAsync("ada");

        Assert.StartsWith(isLetIn ? "/api/status" : "/login?failed=1&", address.PathAndQuery, StringComparison.Ordinal);
        Assert.Equal(isLetIn, visitor.SessionCookie is not null);
    }

    private static async Task<WebApplication> StartAsync(RSA key, Func<string, string> sign)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        string? nonce = null;
        app.Run(async context =>
        {
            var (self, query) = (app.Urls.First(), context.Request.Query);
            switch (context.Request.Path.Value)
            {
                case "/.well-known/openid-configuration":
                    await context.Response.WriteAsJsonAsync(
                        new
                        {
                            issuer = self,
                            authorization_endpoint = $"{self}/authorize",
                            token_endpoint = $"{self}/token",
                            jwks_uri = $"{self}/jwks",
                            id_token_signing_alg_values_supported = new[] { "RS256", "none" },
                        }
                    );
                    break;
                case "/jwks":
                    var numbers = key.ExportParameters(includePrivateParameters: false);
                    await context.Response.WriteAsJsonAsync(
                        new
                        {
                            keys = new[]
                            {
                                new
                                {
                                    kty = "RSA",
                                    use = "sig",
                                    kid = "k",
                                    n = Base64Url.EncodeToString(numbers.Modulus),
                                    e = Base64Url.EncodeToString(numbers.Exponent),
                                },
                            },
                        }
                    );
                    break;
                case "/authorize":
                    nonce = query["nonce"];
                    context.Response.Redirect($"{query["redirect_uri"]}?code=c&state={Uri.EscapeDataString(query["state"]!)}");
                    break;
                case "/token":
                    var now = TimeProvider.System.GetUtcNow();
                    var claims = Part(
                        new
                        {
                            iss = self,
                            aud = Client,
                            sub = "ada",
                            name = "ada",
                            roles = new[] { "admin" },
                            nonce,
                            iat = now.ToUnixTimeSeconds(),
                            exp = now.AddMinutes(5).ToUnixTimeSeconds(),
                        }
                    );
                    await context.Response.WriteAsJsonAsync(
                        new
                        {
                            access_token = "a",
                            token_type = "Bearer",
                            expires_in = 3600,
                            id_token = sign(claims),
                        }
                    );
                    break;
            }
        });
        await app.StartAsync();
        return app;
    }

    private static string Signed(string claims, RSA key)
    {
        var text = $"{Part(new { alg = "RS256", kid = "k", typ = "JWT" })}.{claims}";
        var signature = key.SignData(Encoding.ASCII.GetBytes(text), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return $"{text}.{Base64Url.EncodeToString(signature)}";
    }

    private static string Part(object json) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(json));
}
