using Microsoft.AspNetCore.Http;

namespace AutoTicket.Sandbox;

/// <summary>The parts of the sandbox.</summary>
internal sealed record SandboxParts(
    TimeProvider Clock,
    RequestLog Log,
    FaultSwitches Faults,
    FreeScoutStandIn FreeScout,
    SlackStandIn Slack,
    DemoSurfaces Surfaces,
    CancellationToken Stopping
);

/// <summary>Routes requests. Those to FreeScout, Slack and surfaces are recorded and subject to faults.</summary>
internal sealed class SandboxRouter(SandboxParts parts)
{
    private readonly FaultPlayer _player = new(parts.FreeScout, parts.Clock, parts.Stopping);
    private readonly SandboxPages _pages = new(parts);

    public async Task ServeAsync(HttpContext context)
    {
        try
        {
            var request = await RecordedRequest.ReadAsync(context.Request, parts.Clock.GetUtcNow(), context.RequestAborted);
            await RouteAsync(context, request);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The client has gone, or the sandbox is stopping.
            context.Abort();
        }
    }

    private Task RouteAsync(HttpContext context, RecordedRequest request)
    {
        if (IsUnder(request, FreeScoutStandIn.ApiPath))
        {
            return parts.FreeScout.CountingAsync(request, () => PlayAsync(context, request, () => parts.FreeScout.Api.Handle(request)));
        }

        if (IsUnder(request, SlackStandIn.ApiPath))
        {
            return PlayAsync(context, request, () => parts.Slack.Handle(request));
        }

        if (IsUnder(request, DemoSurfaces.BasePath) && parts.Surfaces.Find(request.Path) is { } surface)
        {
            var script = surface.Next();
            return PlayAsync(context, request, script.ToAnswer, script.Fault);
        }

        return _pages.Handle(request).WriteAsync(context.Response, context.RequestAborted);
    }

    private Task PlayAsync(HttpContext context, RecordedRequest request, Func<Answer> act, Fault? otherwise = null)
    {
        parts.Log.Add(request);
        var active = parts.Faults.Take(request.Method, request.Path);
        return _player.PlayAsync(context, request, active?.Fault ?? otherwise, active?.Removed ?? Task.CompletedTask, act);
    }

    private static bool IsUnder(RecordedRequest request, string path) =>
        request.Path == path || request.Path.StartsWith(path + "/", StringComparison.Ordinal);
}
