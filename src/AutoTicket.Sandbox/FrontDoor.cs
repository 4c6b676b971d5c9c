using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace AutoTicket.Sandbox;

/// <summary>What there is behind the front door.</summary>
internal sealed record SandboxRooms(
    TimeProvider Clock, RequestLog Log, FaultSwitches Faults, FreeScoutStandIn FreeScout, SlackStandIn Slack, DemoSurfaces Surfaces, CancellationToken Stopping);

/// <summary>Takes every request, records it, and sends it to where it belongs.</summary>
internal sealed class FrontDoor : IHttpApplication<HttpContext>
{
    // The rooms know their URLs, which are known only once the port is open: a first visitor may have to wait a moment.
    private readonly TaskCompletionSource<SandboxRooms> _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private FaultPlayer? _player;
    private SandboxPages? _pages;

    public void Open(SandboxRooms rooms)
    {
        _player = new FaultPlayer(rooms.Clock, rooms.Stopping);
        _pages = new SandboxPages(rooms);
        _open.SetResult(rooms);
    }

    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    public void DisposeContext(HttpContext context, Exception? exception)
    {
    }

    public async Task ProcessRequestAsync(HttpContext context)
    {
        var rooms = await _open.Task;
        var request = await RecordedRequest.ReadAsync(context.Request, rooms.Clock.GetUtcNow(), context.RequestAborted);
        try
        {
            await ServeAsync(rooms, context, request);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The client went away, or the sandbox is being closed.
            context.Abort();
        }
    }

    private Task ServeAsync(SandboxRooms rooms, HttpContext context, RecordedRequest request)
    {
        if (IsUnder(request, FreeScoutStandIn.ApiPath))
        {
            return rooms.FreeScout.CountingAsync(request, () => PlayAsync(rooms, context, request, () => rooms.FreeScout.Api.Handle(request)));
        }

        if (IsUnder(request, SlackStandIn.ApiPath))
        {
            return PlayAsync(rooms, context, request, () => rooms.Slack.Handle(request));
        }

        if (IsUnder(request, DemoSurfaces.BasePath) && rooms.Surfaces.Find(request.Path) is { } surface)
        {
            var script = surface.Next();
            return PlayAsync(rooms, context, request, script.ToAnswer, script.Fault);
        }

        return _pages!.Handle(request).WriteAsync(context.Response, context.RequestAborted);
    }

    private Task PlayAsync(SandboxRooms rooms, HttpContext context, RecordedRequest request, Func<Answer> act, Fault? otherwise = null)
    {
        rooms.Log.Add(request);
        var active = rooms.Faults.Take(request.Method, request.Path);
        return _player!.PlayAsync(context, request, active?.Fault ?? otherwise, active?.Removed ?? Task.CompletedTask, act);
    }

    private static bool IsUnder(RecordedRequest request, string path) =>
        request.Path == path || request.Path.StartsWith(path + "/", StringComparison.Ordinal);
}
