namespace AutoTicket.BareBlazor;

/// <summary>What the first tile of every open page shows.</summary>
internal sealed class Pushes
{
    private int _count;

    public event Action? Changed;

    public string Text => $"push-{Volatile.Read(ref _count)}";

    public string Push()
    {
        Interlocked.Increment(ref _count);
        Changed?.Invoke();
        return Text;
    }
}
