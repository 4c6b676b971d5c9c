namespace AutoTicket.Sandbox;

/// <summary>The active faults. The oldest one that matches applies, until it ends or is removed.</summary>
public sealed class FaultSwitches
{
    private readonly Lock _gate = new();
    private readonly List<ActiveFault> _active = [];

    public IReadOnlyList<ActiveFault> Active
    {
        get
        {
            lock (_gate)
            {
                return [.. _active];
            }
        }
    }

    /// <summary>Switches a fault on; dispose the result to switch it off.</summary>
    public ActiveFault Add(Fault fault)
    {
        var active = new ActiveFault(fault, Remove);
        lock (_gate)
        {
            _active.Add(active);
        }

        return active;
    }

    /// <summary>Removes all faults and releases the requests that wait for their removal.</summary>
    public void Clear() => Replace([]);

    internal void Replace(IEnumerable<Fault> faults)
    {
        List<ActiveFault> removed;
        lock (_gate)
        {
            removed = [.. _active];
            _active.Clear();
            _active.AddRange(faults.Select(fault => new ActiveFault(fault, Remove)));
        }

        removed.ForEach(fault => fault.Release());
    }

    internal ActiveFault? Take(string method, string path)
    {
        lock (_gate)
        {
            return _active.Find(fault => !fault.IsHealed && fault.Fault.Match.Covers(method, path))?.Hit();
        }
    }

    private void Remove(ActiveFault fault)
    {
        lock (_gate)
        {
            _active.Remove(fault);
        }

        fault.Release();
    }
}

/// <summary>An active fault. Dispose it to switch it off.</summary>
public sealed class ActiveFault : IDisposable
{
    private readonly TaskCompletionSource _removed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Action<ActiveFault> _remove;
    private int _hits;

    internal ActiveFault(Fault fault, Action<ActiveFault> remove) => (Fault, _remove) = (fault, remove);

    public Fault Fault { get; }

    /// <summary>Number of requests it applied to.</summary>
    public int Hits => Volatile.Read(ref _hits);

    public bool IsHealed => Fault.Times is { } times && Hits >= times;

    internal Task Removed => _removed.Task;

    public void Dispose() => _remove(this);

    internal ActiveFault Hit()
    {
        Interlocked.Increment(ref _hits);
        return this;
    }

    internal void Release() => _removed.TrySetResult();
}
