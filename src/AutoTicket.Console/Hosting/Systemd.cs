using System.Globalization;
using Microsoft.Extensions.Hosting.Systemd;

namespace AutoTicket.Hosting;

internal static class SystemdSetup
{
    /// <summary>Tells systemd when the console is ready and when it stops, and, if the unit has <c>WatchdogSec</c>, that it works. The
    /// library's own AddSystemd looks for a parent process named systemd, which the unit's <c>ProtectProc</c> hides.</summary>
    public static void AddSystemd(this WebApplicationBuilder builder)
    {
        if (string.IsNullOrEmpty(builder.Configuration["NOTIFY_SOCKET"]))
        {
            return;
        }

        builder.Services.AddSingleton<ISystemdNotifier, SystemdNotifier>().AddSingleton<IHostLifetime, SystemdLifetime>();
        if (long.TryParse(builder.Configuration["WATCHDOG_USEC"], CultureInfo.InvariantCulture, out var limit) && limit > 0)
        {
            builder.Services.AddHostedService(services =>
                ActivatorUtilities.CreateInstance<SystemdWatchdog>(services, TimeSpan.FromMicroseconds(limit / 2))
            );
        }
    }
}

/// <summary>Tells systemd twice per <c>WatchdogSec</c> that timers and the thread pool work. Without that systemd restarts the
/// console.</summary>
internal sealed class SystemdWatchdog(ISystemdNotifier systemd, TimeSpan interval, TimeProvider clock, ILogger<SystemdWatchdog> logger)
    : Loop(clock, logger)
{
    private static readonly ServiceState Works = new("WATCHDOG=1");

    protected override Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
    {
        systemd.Notify(Works);
        return Task.FromResult(interval);
    }
}
