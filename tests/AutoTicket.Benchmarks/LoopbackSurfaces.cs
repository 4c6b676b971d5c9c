using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace AutoTicket.Benchmarks;

/// <summary>1,000 surfaces on a bare Kestrel; those under <c>/hang/</c> never answer, the others at once, with 503 when they are
/// down.</summary>
internal sealed class LoopbackSurfaces : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly CancellationTokenSource _stopping = new();

    private LoopbackSurfaces()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        _app.Run(async context =>
        {
            if (context.Request.Path.StartsWithSegments("/hang"))
            {
                using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _stopping.Token);
                await Task.Delay(Timeout.Infinite, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                return;
            }

            context.Response.StatusCode = Down.ContainsKey(context.Request.Path.Value!.TrimStart('/')) ? 503 : 200;
            await context.Response.WriteAsync("ok", context.RequestAborted);
        });
    }

    /// <summary>The keys of the surfaces that are down.</summary>
    public ConcurrentDictionary<string, bool> Down { get; } = new();

    public Uri Address => new(_app.Urls.Single());

    public static async Task<LoopbackSurfaces> StartAsync()
    {
        var surfaces = new LoopbackSurfaces();
        await surfaces._app.StartAsync();
        return surfaces;
    }

    /// <summary>The console's settings for these surfaces.</summary>
    /// <param name="hanging">Every Nth surface hangs; 0 for none.</param>
    public Dictionary<string, string> Settings(int count, int hanging, TimeSpan timeout)
    {
        var settings = new Dictionary<string, string>
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Development",
            ["Sandbox__Enabled"] = "false",
            ["Status__PollInterval"] = "00:05:00",
            ["Logging__LogLevel__AutoTicket"] = "Warning",
        };
        for (var n = 0; n < count; n++)
        {
            settings[string.Create(CultureInfo.InvariantCulture, $"Surfaces__{n}__Key")] = $"s{n}";
            settings[$"Surfaces__{n}__Url"] = new Uri(Address, hanging > 0 && n % hanging == 0 ? $"hang/{n}" : $"s{n}").AbsoluteUri;
            settings[$"Surfaces__{n}__DownAfter"] = "1";
            settings[$"Surfaces__{n}__Timeout"] = timeout.ToString("c", CultureInfo.InvariantCulture);
        }

        return settings;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _app.DisposeAsync();
        _stopping.Dispose();
    }
}
