using AutoTicket.Alerts;

namespace AutoTicket.Tests.Alerts;

public sealed class HookPassTests
{
    /// <summary>In a flood the loop asks hundreds of times a second, also of a pass that hangs for hours.</summary>
    [Fact]
    public async Task A_pass_calls_once_when_it_is_over_however_often_it_was_asked()
    {
        var ending = new TaskCompletionSource();
        var called = new TaskCompletionSource();
        var calls = 0;
        var resting = new TaskCompletionSource();
        var pass = new HookPass(DateTimeOffset.UnixEpoch) { Ended = ending.Task, Rest = resting.Task };
        for (var turn = 0; turn < 1_000; turn++)
        {
            pass.CallWhenOver(() =>
            {
                Interlocked.Increment(ref calls);
                called.TrySetResult();
            });
        }

        Assert.Equal(0, calls);
        ending.SetResult();
        Assert.False(pass.IsOver, "it rests");
        Assert.Equal(0, calls);
        resting.SetResult();
        Assert.True(pass.IsOver);
        await called.Task;

        // Each call has its turn in the pool before this one.
        await Task.WhenAll(Enumerable.Range(0, 1_000).Select(_ => Task.Run(() => { })));
        Assert.Equal(1, calls);
    }

    [Fact]
    public async Task A_pass_whose_rest_is_ended_is_over_once_it_has_ended()
    {
        var ending = new TaskCompletionSource();
        var called = new TaskCompletionSource();
        var pass = new HookPass(DateTimeOffset.UnixEpoch) { Ended = ending.Task, Rest = new TaskCompletionSource().Task };

        pass.CallWhenOver(called.SetResult);
        pass.EndRest();

        Assert.False(pass.IsOver);
        ending.SetResult();
        Assert.True(pass.IsOver);
        await called.Task;
    }
}
