namespace AutoTicket.Hosting;

/// <summary>Something that one part of the console needs fails for a while: a state, which is logged when it begins, not at each
/// try.</summary>
internal sealed class OutageNotice
{
    private int _isTold;

    /// <returns>True: it begins with this failure.</returns>
    public bool Begin() => Interlocked.Exchange(ref _isTold, 1) == 0;

    public void End() => Volatile.Write(ref _isTold, 0);
}
