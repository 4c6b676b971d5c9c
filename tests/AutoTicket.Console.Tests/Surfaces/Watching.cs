using System.Globalization;
using AutoTicket.Surfaces;

namespace AutoTicket.Tests.Surfaces;

/// <summary>Helpers for consoles with many surfaces.</summary>
internal static class Watching
{
    /// <summary>The poll interval plus its maximum jitter.</summary>
    public static readonly TimeSpan ACycle = TimeSpan.FromSeconds(31.5);

    /// <summary>Settings of surfaces with these URLs, named s0, s1, …</summary>
    public static Dictionary<string, string?> Settings(IEnumerable<Uri> urls, int downAfter = 2, TimeSpan? timeout = null)
    {
        var settings = new Dictionary<string, string?> { ["Status:PollInterval"] = "00:00:30" };
        foreach (var (n, url) in urls.Index())
        {
            settings[$"Surfaces:{n}:Key"] = $"s{n}";
            settings[$"Surfaces:{n}:Url"] = url.AbsoluteUri;
            settings[$"Surfaces:{n}:DownAfter"] = downAfter.ToString(CultureInfo.InvariantCulture);
            settings[$"Surfaces:{n}:SlowAfter"] = "00:05:00";
            settings[$"Surfaces:{n}:Timeout"] = (timeout ?? TimeSpan.FromSeconds(30)).ToString("c", CultureInfo.InvariantCulture);
        }

        return settings;
    }

    public static StatusBoard Board(this ConsoleHost console) => console.Get<StatusBoard>();

    public static Task AllAsync(this ConsoleHost console, SurfaceStatus status) =>
        Eventually.TrueAsync(() => console.Board().All().All(surface => surface.Status == status), $"all surfaces are {status}");

    public static Task PolledAsync(this ConsoleHost console, int times) =>
        Eventually.TrueAsync(
            () => console.Board().All().All(surface => surface.History.Count >= times),
            $"all surfaces were polled {times} times"
        );
}
