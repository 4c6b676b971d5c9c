using System.Runtime.CompilerServices;

namespace AutoTicket.Tests.Kit;

/// <summary>The lines that a process has written so far to one of its outputs. Safe for use from any thread.</summary>
public sealed class OutputLines
{
    private readonly Lock _gate = new();
    private readonly List<string> _lines = [];
    private TaskCompletionSource _changed = NewSignal();
    private bool _ended;

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _lines.Count;
            }
        }
    }

    public IReadOnlyList<string> ToList()
    {
        lock (_gate)
        {
            return [.. _lines];
        }
    }

    public override string ToString() => string.Join('\n', ToList());

    /// <summary>The first line that meets the predicate, among those written and those to come.</summary>
    /// <param name="after">How many lines to pass over: an earlier <see cref="Count"/>, for a line that comes later.</param>
    /// <exception cref="TimeoutException">It was not written in time, or the output ended without it; tells the output.</exception>
    public async Task<string> WaitForLineAsync(
        Predicate<string> predicate,
        TimeSpan? timeout = null,
        int after = 0,
        [CallerArgumentExpression(nameof(predicate))] string what = ""
    )
    {
        using var patience = new CancellationTokenSource(timeout ?? Eventually.Patience);
        while (true)
        {
            Task changed;
            bool ended;
            lock (_gate)
            {
                // Each line is tried once: the next round begins where this one stopped.
                for (; after < _lines.Count; after++)
                {
                    if (predicate(_lines[after]))
                    {
                        return _lines[after];
                    }
                }

                changed = _changed.Task;
                ended = _ended;
            }

            try
            {
                if (ended)
                {
                    throw new TimeoutException($"The output ended without a line for: {what}\n{this}");
                }

                await changed.WaitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"No line in time for: {what}\n{this}");
            }
        }
    }

    /// <summary>Takes in all that comes; returns at its end.</summary>
    internal async Task ReadAsync(TextReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            Change(() => _lines.Add(line));
        }

        Change(() => _ended = true);
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Change(Action change)
    {
        lock (_gate)
        {
            change();
            _changed.SetResult();
            _changed = NewSignal();
        }
    }
}
