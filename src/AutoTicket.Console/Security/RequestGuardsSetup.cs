using System.Net;
using Microsoft.AspNetCore.Components.Server;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.HttpsPolicy;
using Microsoft.AspNetCore.SignalR;
using IPNetwork = System.Net.IPNetwork;

namespace AutoTicket.Security;

/// <summary>Wires what comes before every request: trusted proxies, limits of size and number, redirects and origin checks.</summary>
internal static class RequestGuardsSetup
{
    public const string Circuits = "/_blazor";

    /// <summary>Paths that programs may call under any host name: probes, senders of alerts, FreeScout.</summary>
    private static readonly string[] ForPrograms = ["/api", "/healthz", "/metrics"];

    public static void AddRequestGuards(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        var isOnHeroku = builder.Configuration["DYNO"] is { Length: > 0 };
        var limits = CircuitLimits.Read(builder.Configuration);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // Limits the cost of an anonymous request. The intakes raise the body size for authenticated senders.
            kestrel.Limits.MaxRequestBodySize = 32 * 1024;
            kestrel.Limits.MaxRequestBufferSize = 32 * 1024;
            kestrel.Limits.Http2.InitialStreamWindowSize = kestrel.Limits.Http2.InitialConnectionWindowSize = 64 * 1024;
        });
        // Otherwise ASP.NET would process the headers of any sender again, and a client could choose its own address.
        builder.Configuration["ForwardedHeaders_Enabled"] = "false";
        var proxies = TrustedProxies.Read(builder.Configuration["TRUSTED_PROXIES"]);
        if (isOnHeroku && proxies.Count > 0)
        {
            throw new ConfigurationException(
                "TRUSTED_PROXIES can't be used on Heroku, where the console trusts Heroku's router alone. Remove the variable."
            );
        }

        services.Configure<ForwardedHeadersOptions>(forwarded =>
        {
            forwarded.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto;
            if (isOnHeroku)
            {
                // All requests come through Heroku's router, whose addresses are not known. It adds the last entry.
                forwarded.KnownIPNetworks.Clear();
                forwarded.KnownProxies.Clear();
                return;
            }

            // No limit: it reads back from the last entry to the first that no trusted proxy wrote.
            forwarded.ForwardLimit = null;
            foreach (var network in proxies)
            {
                forwarded.KnownIPNetworks.Add(network);
            }
        });
        services.Configure<HstsOptions>(hsts => (hsts.MaxAge, hsts.IncludeSubDomains) = (TimeSpan.FromDays(365), true));
        services.Configure<HttpsRedirectionOptions>(redirection => (redirection.HttpsPort, redirection.RedirectStatusCode) = (443, 308));
        services.Configure<CircuitOptions>(circuits =>
        {
            circuits.DisconnectedCircuitMaxRetained = limits.Retained;
            circuits.PersistedCircuitInMemoryMaxRetained = limits.InAll;
            circuits.MaxBufferedUnacknowledgedRenderBatches = 10;
            circuits.DetailedErrors = false;
        });
        services.AddSingleton(limits);
        services.AddSingleton<RequestLimits>();
    }

    /// <summary>Limits the messages of an open page.</summary>
    public static void ConfigureHub(HubOptions hub) => hub.MaximumReceiveMessageSize = 32 * 1024;

    private static bool IsForBrowsers(PathString path) =>
        !ForPrograms.Any(prefix => path.StartsWithSegments(prefix, StringComparison.OrdinalIgnoreCase));

    /// <summary>Adds the middleware that comes before everything else.</summary>
    public static void UseRequestGuards(this WebApplication app)
    {
        app.UseForwardedHeaders();
        app.Use(
            async (context, next) =>
            {
                // Traefik forwards ws and wss, which an origin never has.
                var scheme = context.Request.Scheme.ToLowerInvariant();
                context.Request.Scheme = scheme switch
                {
                    "ws" => Uri.UriSchemeHttp,
                    "wss" => Uri.UriSchemeHttps,
                    _ => scheme,
                };
                // A trusted proxy may forward a client's own header, and links with another scheme would not work.
                if (context.Request.Scheme is not ("http" or "https"))
                {
                    await Results
                        .Problem(title: "X-Forwarded-Proto must be http, https, ws or wss.", statusCode: 400)
                        .ExecuteAsync(context);
                    return;
                }

                await next(context);
            }
        );
        if (app.Configuration["CONSOLE_PUBLIC_URL"] is { Length: > 0 } address)
        {
            var host = new Uri(address).Host;
            app.Use(
                (context, next) =>
                    IsForBrowsers(context.Request.Path)
                    && !RequestGuards.IsLoopback(context.Request.Host)
                    && !context.Request.Host.Host.Equals(host, StringComparison.OrdinalIgnoreCase)
                        ? Results
                            .Problem(
                                title: $"This console is at {address}.",
                                detail: "A proxy must forward the Host header unchanged.",
                                statusCode: 400
                            )
                            .ExecuteAsync(context)
                        : next(context)
            );
        }

        app.UseSafeHeaders(app.Services.GetRequiredService<SignInOptions>().Provider?.Authority);
        if (!app.Environment.IsDevelopment())
        {
            app.UseHsts();
            // For every cookie. Antiforgery's own setting would throw for each request over http.
            app.UseCookiePolicy(new CookiePolicyOptions { Secure = CookieSecurePolicy.Always });
        }

        if (app.Configuration["DYNO"] is { Length: > 0 })
        {
            app.UseWhen(
                context => !context.Request.Path.StartsWithSegments("/healthz", StringComparison.OrdinalIgnoreCase),
                web => web.UseHttpsRedirection()
            );
        }

        app.Use(
            (context, next) =>
            {
                // A provider redirects with GET. For a POST its handler would read a form of any size first.
                if (
                    context.Request.Method != HttpMethods.Get
                    && ProviderSignIn.CallbackPaths.Any(path => context.Request.Path.Equals(path, StringComparison.OrdinalIgnoreCase))
                )
                {
                    (context.Response.StatusCode, context.Response.Headers.Allow) = (405, HttpMethods.Get);
                    return Task.CompletedTask;
                }

                return next(context);
            }
        );
        app.Use(
            (context, next) =>
            {
                // A browser sends cookies with a WebSocket that another site opens, and CORS does not apply to it.
                if (
                    context.Request.Path.StartsWithSegments(Circuits, StringComparison.OrdinalIgnoreCase)
                    && RequestGuards.IsForeign(context.Request)
                )
                {
                    context.Response.StatusCode = 403;
                    return Task.CompletedTask;
                }

                return next(context);
            }
        );
    }
}

/// <summary><c>TRUSTED_PROXIES</c>: proxies, besides those on this machine, that may name the client's address and scheme.</summary>
internal static class TrustedProxies
{
    /// <exception cref="ConfigurationException">An entry is neither an address nor a network, or a network of all addresses.</exception>
    public static IReadOnlyList<IPNetwork> Read(string? setting) =>
        [
            .. (setting ?? "")
                .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                .Select(entry =>
                    Parse(entry)
                    ?? throw new ConfigurationException(
                        "TRUSTED_PROXIES must list addresses and networks, e.g. 192.0.2.7,198.51.100.0/29,2001:db8::7, "
                            + $"but contains “{entry}”."
                    )
                ),
        ];

    private static IPNetwork? Parse(string entry) =>
        IPAddress.TryParse(entry, out var address) ? new IPNetwork(address, address.GetAddressBytes().Length * 8)
        : IPNetwork.TryParse(entry, out var network) && network.PrefixLength > 0 ? network
        : null;
}

/// <summary>How many pages may be open.</summary>
/// <param name="PerSession">In one signed-in browser.</param>
/// <param name="InAll">In one process.</param>
/// <param name="Retained">How many disconnected pages are kept for a reconnect; the others are rendered anew.</param>
internal sealed record CircuitLimits(int PerSession, int InAll, int Retained)
{
    public static CircuitLimits Read(IConfiguration configuration)
    {
        var section = configuration.GetSection("Circuits");
        Settings.RefuseUnknown(section, nameof(PerSession), nameof(InAll), nameof(Retained));
        return new(Read(nameof(PerSession), 40), Read(nameof(InAll), 500), Read(nameof(Retained), 50));

        int Read(string name, int otherwise) => Settings.Read(section, name, otherwise, 1, 100_000);
    }
}
