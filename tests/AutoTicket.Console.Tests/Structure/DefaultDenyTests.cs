using System.Text.RegularExpressions;
using AutoTicket.Security;
using AutoTicket.Tests.Kit;
using Microsoft.AspNetCore.Routing;

namespace AutoTicket.Tests.Structure;

/// <summary>Every endpoint of the running console, as its route table has it, asked by nobody in particular in Production.</summary>
public sealed partial class DefaultDenyTests
{
    /// <summary>All that may answer somebody who is not signed in. Each line here is a decision.</summary>
    private static readonly string[] Open = ["/login", "/healthz/live", "/healthz/ready"];

    /// <summary>These have a token or signature of their own; without it they answer 401, and 503 where none is set.</summary>
    private static readonly string[] Intakes = ["/api/alerts", "/api/v2/alerts", "/api/alerts/alertmanager", "/api/freescout/webhook"];

    [Fact]
    public async Task Nobody_in_particular_gets_no_answer_but_the_sign_in()
    {
        await using var console = await ConsoleHost.StartAsync(environment: "Production", settings: new Dictionary<string, string?> { ["CONSOLE_OPERATOR_PASSWORD_HASH"] = Login.Hash("a test") });
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = console.Address };
        var answered = new List<string>();
        var asked = 0;
        foreach (var endpoint in console.Get<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>())
        {
            // Style sheets, scripts, fonts and icons: the sign-in page needs them, and they hold nothing but what is in the package.
            if (endpoint.Metadata.GetMetadata<Microsoft.AspNetCore.StaticAssets.StaticAssetDescriptor>() is not null)
            {
                continue;
            }

            var path = "/" + Parameter().Replace(endpoint.RoutePattern.RawText!.TrimStart('/').TrimStart('~', '/'), "x");
            foreach (var method in endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? ["GET", "POST"])
            {
                asked++;
                using var request = new HttpRequestMessage(new HttpMethod(method), path);
                request.Headers.Add("X-Forwarded-Proto", "https");
                using var answer = await http.SendAsync(request);
                var isDenied = (int)answer.StatusCode is 401 or 403 || (Intakes.Contains(path) && (int)answer.StatusCode == 503)
                    || ((int)answer.StatusCode == 302 && answer.Headers.Location!.OriginalString.Contains("/login?", StringComparison.Ordinal));
                if (!isDenied && !Open.Contains(path))
                {
                    answered.Add($"{method} {path}: {(int)answer.StatusCode}");
                }
            }
        }

        Assert.Empty(answered);
        Assert.InRange(asked, 25, 1000);
    }

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Parameter();
}
