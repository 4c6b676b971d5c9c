using System.Net.Sockets;
using System.Text;

namespace AutoTicket.Tests.Processes;

/// <summary>What the console says to systemd.</summary>
public sealed class SystemdTests
{
    [Fact]
    public async Task Systemd_learns_that_the_console_is_ready_works_and_stops()
    {
        var folder = Directory.CreateTempSubdirectory("autoticket-systemd-");
        var path = Path.Combine(folder.FullName, "notify");
        using var systemd = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        systemd.Bind(new UnixDomainSocketEndPoint(path));
        await using var console = await ConsoleProcess.StartAsync(
            new Dictionary<string, string>
            {
                ["ASPNETCORE_ENVIRONMENT"] = "Development",
                ["Sandbox__Enabled"] = "false",
                ["NOTIFY_SOCKET"] = path,
                ["WATCHDOG_USEC"] = "200000",
            }
        );

        await ReceiveAsync("READY=1");
        await ReceiveAsync("WATCHDOG=1");
        await ReceiveAsync("WATCHDOG=1");
        // The log keeps its format.
        Assert.Matches(@"(?m)^\d{4}-\d\d-\d\dT\S+Z INFO Microsoft\.Hosting\.Lifetime Now listening on", console.Output.ToString());

        var stopping = console.StopAsync();
        await ReceiveAsync("STOPPING=1");
        Assert.Equal(0, await stopping);
        folder.Delete(recursive: true);

        async Task ReceiveAsync(string expected)
        {
            using var patience = new CancellationTokenSource(Eventually.Patience);
            var buffer = new byte[256];
            string said;
            do
            {
                said = Encoding.UTF8.GetString(buffer, 0, await systemd.ReceiveAsync(buffer, SocketFlags.None, patience.Token));
            } while (said != expected);
        }
    }
}
