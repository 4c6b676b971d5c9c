namespace AutoTicket.Sandbox;

/// <summary>A surface to be watched. Those that tests ask for are well until they are told otherwise.</summary>
public sealed class SandboxSurface
{
    private readonly Func<int, Script> _next;
    private volatile Script _script = new(200, "ok", null);
    private int _requests;

    internal SandboxSurface(Uri url, Func<int, Script>? next = null) => (Url, _next) = (url, next ?? (_ => _script));

    public Uri Url { get; }

    /// <summary>How often it was asked.</summary>
    public int RequestCount => Volatile.Read(ref _requests);

    /// <summary>From now on answers so, after <paramref name="delay"/>.</summary>
    public void Answer(int status = 200, string body = "ok", TimeSpan? delay = null) =>
        _script = new Script(status, body, delay is null ? null : new Fault(FaultKind.Delay) { Delay = delay });

    /// <summary>From now on accepts and never answers.</summary>
    public void Hang() => _script = new Script(0, "", new Fault(FaultKind.HangBefore));

    /// <summary>From now on ends the connection with a TCP RST.</summary>
    public void Reset() => _script = new Script(0, "", new Fault(FaultKind.ResetBefore));

    internal Script Next() => _next(Interlocked.Increment(ref _requests));

    /// <summary>One answer to come, or the fault that takes its place.</summary>
    internal sealed record Script(int Status, string Body, Fault? Fault)
    {
        public Answer ToAnswer() => Sandbox.Answer.Text(Status, Body);
    }
}
