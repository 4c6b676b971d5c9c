using System.Runtime.CompilerServices;

namespace AutoTicket.Tests.Kit;

/// <summary>The lines that a process has written so far to one of its outputs. Thread-safe.</summary>
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

    /// <summary>Waits for a line that matches the predicate, and returns the first.</summary>
    /// <param name="after">Number of lines to skip: an earlier <see cref="Count"/>, to find a later line.</param>
    /// <exception cref="TimeoutException">No such line in time, or the output ended without it. The message holds the output.</exception>
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
                // Each line is tested once: the next round starts where this one stopped.
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

    /// <summary>Reads lines until the end of the output.</summary>
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
