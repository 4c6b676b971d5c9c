using Microsoft.AspNetCore.Http;

namespace AutoTicket.Sandbox;

/// <summary>All that the sandbox consists of.</summary>
internal sealed record SandboxRooms(
    TimeProvider Clock,
    RequestLog Log,
    FaultSwitches Faults,
    FreeScoutStandIn FreeScout,
    SlackStandIn Slack,
    DemoSurfaces Surfaces,
    CancellationToken Stopping
);

/// <summary>Sends every request to where it belongs; those to the stand-ins and surfaces are recorded and meet the faults.</summary>
internal sealed class Reception(SandboxRooms rooms)
{
    private readonly FaultPlayer _player = new(rooms.FreeScout, rooms.Clock, rooms.Stopping);
    private readonly SandboxPages _pages = new(rooms);

    public async Task ServeAsync(HttpContext context)
    {
        try
        {
            var request = await RecordedRequest.ReadAsync(context.Request, rooms.Clock.GetUtcNow(), context.RequestAborted);
            await RouteAsync(context, request);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The client went away, or the sandbox is being closed.
            context.Abort();
        }
    }

    private Task RouteAsync(HttpContext context, RecordedRequest request)
    {
        if (IsUnder(request, FreeScoutStandIn.ApiPath))
        {
            return rooms.FreeScout.CountingAsync(request, () => PlayAsync(context, request, () => rooms.FreeScout.Api.Handle(request)));
        }

        if (IsUnder(request, SlackStandIn.ApiPath))
        {
            return PlayAsync(context, request, () => rooms.Slack.Handle(request));
        }

        if (IsUnder(request, DemoSurfaces.BasePath) && rooms.Surfaces.Find(request.Path) is { } surface)
        {
            var script = surface.Next();
            return PlayAsync(context, request, script.ToAnswer, script.Fault);
        }

        return _pages.Handle(request).WriteAsync(context.Response, context.RequestAborted);
    }

    private Task PlayAsync(HttpContext context, RecordedRequest request, Func<Answer> act, Fault? otherwise = null)
    {
        rooms.Log.Add(request);
        var active = rooms.Faults.Take(request.Method, request.Path);
        return _player.PlayAsync(context, request, active?.Fault ?? otherwise, active?.Removed ?? Task.CompletedTask, act);
    }

    private static bool IsUnder(RecordedRequest request, string path) =>
        request.Path == path || request.Path.StartsWith(path + "/", StringComparison.Ordinal);
}
