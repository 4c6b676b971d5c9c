namespace AutoTicket.Hosting;

/// <summary>Whoever is told of something, until disposed of.</summary>
internal sealed class Subscription(Action end) : IDisposable
{
    public void Dispose() => end();
}
