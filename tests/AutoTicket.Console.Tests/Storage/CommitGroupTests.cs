using AutoTicket.Data;

namespace AutoTicket.Tests.Storage;

/// <summary>Items that wait for a busy group share one run. The group refuses items over its limit.</summary>
public sealed class CommitGroupTests
{
    private readonly CommitGroup<int, int> _group = new(item => item);
    private readonly TaskCompletionSource _busy = new();
    private readonly List<List<int>> _batches = [];

    [Fact]
    public async Task Items_that_come_during_a_run_share_the_next_one()
    {
        var first = _group.AddAsync(1, RunAsync);
        var others = Task.WhenAll(_group.AddAsync(2, RunAsync), _group.AddAsync(3, RunAsync));
        _busy.SetResult();

        Assert.Equal((10, 20, 30), (await first, (await others)[0], (await others)[1]));
        Assert.Equal(
            [
                [1],
                [2, 3],
            ],
            _batches
        );
    }

    [Fact]
    public async Task A_busy_group_refuses_items_over_its_limit_and_takes_them_when_it_is_free()
    {
        // A single item may exceed the limit.
        var lone = _group.TryAdd(7, RunAsync, most: 5);
        Assert.NotNull(lone);
        Assert.Null(_group.TryAdd(1, RunAsync, most: 7));
        var beside = _group.TryAdd(1, RunAsync, most: 8);
        Assert.NotNull(beside);

        _busy.SetResult();
        Assert.Equal((70, 10), (await lone, await beside));
        Assert.Equal(50, await _group.TryAdd(5, RunAsync, most: 5)!);
    }

    [Fact]
    public async Task A_failed_run_frees_its_place_and_fails_each_waiting_item()
    {
        var failing = _group.TryAdd(5, _ => throw new InvalidOperationException("no"), most: 5)!;

        await Assert.ThrowsAsync<InvalidOperationException>(() => failing);
        _busy.SetResult();
        Assert.Equal(50, await _group.TryAdd(5, RunAsync, most: 5)!);
    }

    private async Task<List<int>> RunAsync(List<int> items)
    {
        await _busy.Task;
        _batches.Add(items);
        return items.ConvertAll(item => item * 10);
    }
}
