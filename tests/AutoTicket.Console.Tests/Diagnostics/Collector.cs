using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace AutoTicket.Tests.Diagnostics;

/// <summary>Receives OTLP over HTTP. Protobuf stores text as plain UTF-8, so a body can be searched for it.</summary>
internal sealed class Collector : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<string> _received = new();

    private Collector(WebApplication app) => _app = app;

    public Uri Url => new(_app.Urls.First());

    /// <summary>The bodies of all requests.</summary>
    public IReadOnlyCollection<string> Received => _received;

    public string All => string.Join('\n', _received);

    public static async Task<Collector> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var collector = new Collector(app);
        app.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            collector._received.Enqueue(Encoding.UTF8.GetString(body.ToArray()));
        });
        await app.StartAsync();
        return collector;
    }

    public bool Holds(string text) => _received.Any(one => one.Contains(text, StringComparison.Ordinal));

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();
}
