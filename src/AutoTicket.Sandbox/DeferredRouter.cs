using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace AutoTicket.Sandbox;

/// <summary>Passes Kestrel's requests to the router.</summary>
/// <remarks>The router needs the port, which is known only after listening, so first requests wait for <see cref="Open"/>.</remarks>
internal sealed class DeferredRouter : IHttpApplication<HttpContext>
{
    private readonly TaskCompletionSource<SandboxRouter> _router = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Open(SandboxRouter router) => _router.SetResult(router);

    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    public async Task ProcessRequestAsync(HttpContext context) => await (await _router.Task).ServeAsync(context);

    public void DisposeContext(HttpContext context, Exception? exception) { }
}
