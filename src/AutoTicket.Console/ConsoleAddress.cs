using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace AutoTicket;

/// <summary>Where people reach this console: <c>CONSOLE_PUBLIC_URL</c>, else the address it listens on. Tickets link there.</summary>
internal sealed class ConsoleAddress(IConfiguration configuration, IServer server)
{
    public string Url => (configuration["CONSOLE_PUBLIC_URL"] is { Length: > 0 } url ? url : Local).TrimEnd('/');

    /// <summary>Where this machine reaches it.</summary>
    public string Local =>
        server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault()?.Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal).Replace("[::]", "127.0.0.1", StringComparison.Ordinal)
        ?? "http://127.0.0.1:5080";
}
