namespace AutoTicket.Hosting;

/// <summary>An outage that one part of the console meets again and again. It is logged when it begins, not at each retry.</summary>
internal sealed class OutageNotice
{
    private int _hasBegun;

    /// <returns>True: the outage begins with this failure.</returns>
    public bool Begin() => Interlocked.Exchange(ref _hasBegun, 1) == 0;

    public void End() => Volatile.Write(ref _hasBegun, 0);
}
