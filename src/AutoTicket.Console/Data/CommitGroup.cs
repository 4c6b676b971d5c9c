namespace AutoTicket.Data;

/// <summary>Whoever comes while a statement runs goes along with the next one: a round trip and a commit are paid for once by all of
/// them, and who comes alone waits for nobody.</summary>
internal sealed class CommitGroup<TItem, TResult>(Func<TItem, int>? weightOf = null)
{
    private readonly Lock _lock = new();
    private List<(TItem Item, TaskCompletionSource<TResult> Result)> _waiting = [];
    private bool _isRunning;

    /// <summary>The weight of all items that wait or are being handled.</summary>
    private int _load;

    /// <summary>The last one did not come alone.</summary>
    private bool _isCrowded;

    /// <param name="act">Does it for all that have gathered; returns a result for each, in their order.</param>
    public Task<TResult> AddAsync(TItem item, Func<List<TItem>, Task<List<TResult>>> act) => TryAdd(item, act, int.MaxValue)!;

    /// <inheritdoc cref="AddAsync"/>
    /// <param name="most">The weight that the group may hold. A lone item is taken whatever it weighs.</param>
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
                // Who is just about to come, comes first: of many that are busy at once most go along then, and would else find this one gone
                // with a few.
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
#pragma warning disable CA1031 // handed on to each who waits
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
