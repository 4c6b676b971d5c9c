using System.Collections.Concurrent;
using System.Globalization;

namespace AutoTicket.Sandbox;

/// <summary>Six demo surfaces with different states, and surfaces for tests.</summary>
internal sealed class DemoSurfaces
{
    internal const string BasePath = "/surfaces";

    private static readonly Demo[] Demos =
    [
        new("shop", "Shop", "Storefront", "healthy", "P2"),
        new("checkout", "Checkout", "Storefront", "slow", "P2") { SlowAfter = TimeSpan.FromSeconds(1) },
        new("search", "Search", "Storefront", "flapping", "P2"),
        new("payments", "Payments API", "Back office", "failing", "P1"),
        new("reports", "Reports", "Back office", "hanging", "P3") { Timeout = TimeSpan.FromSeconds(3) },
        new("partner-feed", "Partner feed", "Back office", null, "P4"),
    ];

    // A host name that never resolves (RFC 2606).
    private const string Unresolvable = "https://partner-feed.invalid/";

    private readonly ConcurrentDictionary<string, SandboxSurface> _surfaces = new();
    private readonly Uri _base;

    public DemoSurfaces(Uri sandbox)
    {
        _base = new Uri(sandbox, "surfaces/");
        Add("healthy", count => Page("Shop", Wait(5 + (count * 7 % 30))));
        Add("slow", _ => Page("Checkout", Wait(1500)));
        Add("flapping", count => count % 2 == 0 ? Page("Search") : new(502, "Bad gateway", null));
        Add("failing", _ => new(503, "Service unavailable", null));
        Add("hanging", _ => new(0, "", new Fault(FaultKind.HangBefore)));
    }

    public IEnumerable<(string Name, string Url)> Links => Demos.Select(demo => (demo.Name, UrlOf(demo)));

    public SandboxSurface Custom(string name) => _surfaces.GetOrAdd($"custom/{name}", path => new SandboxSurface(new Uri(_base, path)));

    public SandboxSurface? Find(string path) => _surfaces.GetValueOrDefault(path[BasePath.Length..].Trim('/'));

    public IEnumerable<KeyValuePair<string, string?>> Settings() =>
        Demos.SelectMany(
            (demo, n) =>
                new Dictionary<string, string?>
                {
                    [$"Surfaces:{n}:Key"] = demo.Key,
                    [$"Surfaces:{n}:Name"] = demo.Name,
                    [$"Surfaces:{n}:Group"] = demo.Group,
                    [$"Surfaces:{n}:Url"] = UrlOf(demo),
                    [$"Surfaces:{n}:Severity"] = demo.Severity,
                    [$"Surfaces:{n}:SlowAfter"] = Text(demo.SlowAfter),
                    [$"Surfaces:{n}:Timeout"] = Text(demo.Timeout),
                    [$"Surfaces:{n}:DownAfter"] = "2",
                    [$"Surfaces:{n}:UpAfter"] = "2",
                }
        );

    private void Add(string path, Func<int, SandboxSurface.Script> next) =>
        _surfaces[path] = new SandboxSurface(new Uri(_base, path), next);

    private string UrlOf(Demo demo) => demo.Path is null ? Unresolvable : new Uri(_base, demo.Path).AbsoluteUri;

    private static SandboxSurface.Script Page(string name, Fault? fault = null) =>
        new(200, $"<!DOCTYPE html><html lang=\"en\"><title>{name}</title><h1>{name}</h1><p>All well.</p></html>", fault);

    private static Fault Wait(int milliseconds) => new(FaultKind.Delay) { Delay = TimeSpan.FromMilliseconds(milliseconds) };

    private static string Text(TimeSpan duration) => duration.ToString("c", CultureInfo.InvariantCulture);

    private sealed record Demo(string Key, string Name, string Group, string? Path, string Severity)
    {
        public TimeSpan SlowAfter { get; init; } = TimeSpan.FromSeconds(2);
        public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(5);
    }
}
