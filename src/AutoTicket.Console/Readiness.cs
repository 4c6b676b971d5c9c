using AutoTicket.Data;

namespace AutoTicket;

/// <summary>Whether this process should be sent requests: <c>/healthz/ready</c>. At its end that is withdrawn first: where somebody
/// watches it, the console goes on serving until they have seen it, three seconds at most.</summary>
internal sealed class Readiness(DatabaseGate gate, TimeProvider clock) : IHostedLifecycleService
{
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private readonly TaskCompletionSource _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _askedAt = long.MinValue;
    private volatile bool _isEnding;

    public IResult Answer()
    {
        Volatile.Write(ref _askedAt, clock.GetTimestamp());
        if (_isEnding)
        {
            _seen.TrySetResult();
            return Results.Problem(title: "The console is ending.", statusCode: 503);
        }

        return gate.Problem is { } problem ? Results.Problem(title: problem, statusCode: 503) : Results.Ok("ready");
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        _isEnding = true;
        if (Volatile.Read(ref _askedAt) is not long.MinValue and var asked && clock.GetElapsedTime(asked) < Watched)
        {
            await Task.WhenAny(_seen.Task, Task.Delay(Patience, cancellationToken));
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
