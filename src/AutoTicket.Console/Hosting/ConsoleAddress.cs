using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;

namespace AutoTicket.Hosting;

/// <summary>The console's address for people, which tickets link to: <c>CONSOLE_PUBLIC_URL</c>, or else where it listens.</summary>
internal sealed class ConsoleAddress(IConfiguration configuration, IServer server)
{
    public string Url => (Public ?? Local).TrimEnd('/');

    /// <summary>The address for this machine.</summary>
    public string Local =>
        server
            .Features.Get<IServerAddressesFeature>()
            ?.Addresses.FirstOrDefault()
            ?.Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal)
            .Replace("[::]", "127.0.0.1", StringComparison.Ordinal)
        ?? "http://127.0.0.1:5080";

    private string? Public => configuration["CONSOLE_PUBLIC_URL"] is { Length: > 0 } url ? url : null;

    /// <summary>Whether <paramref name="origin"/> is the origin of <c>CONSOLE_PUBLIC_URL</c>.</summary>
    public bool IsPublic(Uri origin) =>
        Public is { } url && new Uri(url).GetLeftPart(UriPartial.Authority) == origin.GetLeftPart(UriPartial.Authority);
}

/// <summary>The listening address: <c>PORT</c>, or else the settings that ASP.NET reads.</summary>
internal static class Listening
{
    /// <exception cref="ConfigurationException">An address can't be used.</exception>
    public static void Listen(this WebApplicationBuilder builder)
    {
        if (builder.Configuration["PORT"] is { Length: > 0 } port)
        {
            builder.WebHost.UseUrls(
                ushort.TryParse(port, out var number) && number > 0
                    ? $"http://0.0.0.0:{number}"
                    : throw new ConfigurationException($"PORT must be a port number, but is “{port}”.")
            );
        }
        else if (string.IsNullOrEmpty(builder.Configuration["urls"]) && string.IsNullOrEmpty(builder.Configuration["http_ports"]))
        {
            builder.WebHost.UseUrls("http://127.0.0.1:5080");
        }

        foreach (var address in builder.Configuration["urls"]?.Split(';', StringSplitOptions.RemoveEmptyEntries) ?? [])
        {
            try
            {
                BindingAddress.Parse(address);
            }
            catch (FormatException)
            {
                throw new ConfigurationException(
                    $"ASPNETCORE_URLS, or --urls, must hold addresses such as http://127.0.0.1:5080, but holds “{address}”."
                );
            }
        }

        if (
            builder.Configuration["CONSOLE_PUBLIC_URL"] is { Length: > 0 } shown
            && !(Uri.TryCreate(shown, UriKind.Absolute, out var url) && url.Scheme is "http" or "https")
        )
        {
            throw new ConfigurationException(
                $"CONSOLE_PUBLIC_URL must be an absolute http or https address, such as https://console.example.org, but is “{shown}”."
            );
        }

        builder.WebHost.UseStaticWebAssets();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(20));
    }
}
