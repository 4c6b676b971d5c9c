namespace AutoTicket.Data;

/// <summary>Group commit: items that arrive while a statement runs share the next one. A lone item runs at once.</summary>
internal sealed class CommitGroup<TItem, TResult>(Func<TItem, int>? weightOf = null)
{
    private readonly Lock _lock = new();
    private List<(TItem Item, TaskCompletionSource<TResult> Result)> _waiting = [];
    private bool _isRunning;

    /// <summary>The weight of all items that wait or are being handled.</summary>
    private int _load;

    /// <summary>The last batch had more than one item.</summary>
    private bool _isCrowded;

    /// <param name="act">Handles a batch; returns one result for each item, in their order.</param>
    public Task<TResult> AddAsync(TItem item, Func<List<TItem>, Task<List<TResult>>> act) => TryAdd(item, act, int.MaxValue)!;

    /// <inheritdoc cref="AddAsync"/>
    /// <param name="most">The weight that the group may hold. An idle group takes an item of any weight.</param>
    /// <returns>Null when the group is too busy to take the item.</returns>
    public Task<TResult>? TryAdd(TItem item, Func<List<TItem>, Task<List<TResult>>> act, int most)
    {
        var weight = WeightOf(item);
        var result = new TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_load > 0 && _load > most - weight)
            {
                return null;
            }

            _load += weight;
            _waiting.Add((item, result));
            if (_isRunning)
            {
                return result.Task;
            }

            _isRunning = true;
        }

        _ = RunAsync(act);
        return result.Task;
    }

    private async Task RunAsync(Func<List<TItem>, Task<List<TResult>>> act)
    {
        while (true)
        {
            if (_isCrowded)
            {
                // Under load, let callers that are about to add an item do so: the batch gets larger.
                await Task.Yield();
            }

            List<(TItem Item, TaskCompletionSource<TResult> Result)> batch;
            lock (_lock)
            {
                (batch, _waiting) = (_waiting, []);
                if (batch.Count == 0)
                {
                    _isRunning = false;
                    return;
                }

                _isCrowded = batch.Count > 1;
            }

            try
            {
                var results = await ActAsync(batch.ConvertAll(one => one.Item), act);
                for (var i = 0; i < batch.Count; i++)
                {
                    batch[i].Result.SetResult(results[i]);
                }
            }
#pragma warning disable CA1031 // passed on to every caller that waits
            catch (Exception exception)
#pragma warning restore CA1031
            {
                batch.ForEach(one => one.Result.TrySetException(exception));
            }
        }
    }

    private async Task<List<TResult>> ActAsync(List<TItem> items, Func<List<TItem>, Task<List<TResult>>> act)
    {
        try
        {
            return await act(items);
        }
        finally
        {
            lock (_lock)
            {
                _load -= items.Sum(WeightOf);
            }
        }
    }

    private int WeightOf(TItem item) => weightOf?.Invoke(item) ?? 1;
}
