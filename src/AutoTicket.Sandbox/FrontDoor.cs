using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace AutoTicket.Sandbox;

/// <summary>
/// Where Kestrel hands requests in. The stand-ins know their own URLs, which are known only once the port is open, so the
/// first visitor may have to wait a moment for <see cref="Open"/>.
/// </summary>
internal sealed class FrontDoor : IHttpApplication<HttpContext>
{
    private readonly TaskCompletionSource<Reception> _reception = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Open(Reception reception) => _reception.SetResult(reception);

    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    public async Task ProcessRequestAsync(HttpContext context) => await (await _reception.Task).ServeAsync(context);

    public void DisposeContext(HttpContext context, Exception? exception) { }
}
