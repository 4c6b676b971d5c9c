using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Kit;

internal sealed record ReceivedHook(string Event, string Signature, string? ContentType, byte[] Body);

/// <summary>A server that receives FreeScout's webhooks.</summary>
internal sealed class WebhookReceiver : IAsyncDisposable
{
    private readonly ConcurrentQueue<ReceivedHook> _received = new();
    private readonly SemaphoreSlim _arrivals = new(0);
    private readonly WebApplication _app;
    private int _refusals;
    private int _awaited;

    private WebhookReceiver(WebApplication app) => _app = app;

    public Uri Url { get; private set; } = null!;

    public static async Task<WebhookReceiver> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var receiver = new WebhookReceiver(builder.Build());
        receiver._app.Run(receiver.TakeAsync);
        await receiver._app.StartAsync();
        var address = receiver._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        receiver.Url = new Uri(address + "/hook");
        return receiver;
    }

    /// <summary>Answers the next <paramref name="times"/> webhooks with 500.</summary>
    public void Refuse(int times) => _refusals = times;

    /// <summary>Waits until at least <paramref name="count"/> webhooks have arrived in total; returns all so far.</summary>
    public async Task<IReadOnlyList<ReceivedHook>> ReceivedAsync(int count)
    {
        for (; _awaited < count; _awaited++)
        {
            Assert.True(await _arrivals.WaitAsync(TimeSpan.FromMinutes(1)), $"{_awaited} of {count} events came");
        }

        return [.. _received];
    }

    public ValueTask DisposeAsync()
    {
        _arrivals.Dispose();
        return _app.DisposeAsync();
    }

    private async Task TakeAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var headers = context.Request.Headers;
        context.Response.StatusCode = Interlocked.Decrement(ref _refusals) >= 0 ? 500 : 200;
        _received.Enqueue(
            new ReceivedHook(
                headers["X-FreeScout-Event"].ToString(),
                headers["X-FreeScout-Signature"].ToString(),
                context.Request.ContentType,
                body.ToArray()
            )
        );
        _arrivals.Release();
    }
}
