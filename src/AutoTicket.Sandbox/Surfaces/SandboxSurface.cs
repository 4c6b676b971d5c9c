namespace AutoTicket.Sandbox;

/// <summary>A simulated surface; a test's surface answers 200 until changed.</summary>
public sealed class SandboxSurface
{
    private readonly Func<int, Script> _next;
    private volatile Script _script = new(200, "ok", null);
    private int _requests;

    internal SandboxSurface(Uri url, Func<int, Script>? next = null) => (Url, _next) = (url, next ?? (_ => _script));

    public Uri Url { get; }

    /// <summary>Number of requests so far.</summary>
    public int RequestCount => Volatile.Read(ref _requests);

    /// <summary>Sets the response from now on, sent after <paramref name="delay"/>.</summary>
    public void Answer(int status = 200, string body = "ok", TimeSpan? delay = null) =>
        _script = new Script(status, body, delay is null ? null : new Fault(FaultKind.Delay) { Delay = delay });

    /// <summary>From now on accepts requests and never answers.</summary>
    public void Hang() => _script = new Script(0, "", new Fault(FaultKind.HangBefore));

    /// <summary>From now on ends connections with a TCP RST.</summary>
    public void Reset() => _script = new Script(0, "", new Fault(FaultKind.ResetBefore));

    internal Script Next() => _next(Interlocked.Increment(ref _requests));

    /// <summary>A future response, or a fault instead of it.</summary>
    internal sealed record Script(int Status, string Body, Fault? Fault)
    {
        public Answer ToAnswer() => Sandbox.Answer.Text(Status, Body);
    }
}
