namespace AutoTicket.Tests.Kit;

/// <summary>Tests of the kit, because a fault in it could make other tests pass wrongly.</summary>
public sealed class KitTests
{
    [Fact]
    public async Task A_page_shows_its_text_and_records_errors_and_hosts()
    {
        await using var browser = await Browser.NewPageAsync();
        const string host = "127.0.0.1:19999"; // no server listens there

        await browser.Page.GotoAsync(
            $"data:text/html,<h1>Hello</h1><img src='http://{host}/x.png'><script>console.error('oh'); throw new Error('no')</script>"
        );

        Assert.Equal("Hello", await browser.Page.InnerTextAsync("h1"));
        Assert.Equal([host], browser.RequestHosts);
        await Eventually.TrueAsync(
            () => browser.ConsoleErrors.Any(error => error.Contains("oh", StringComparison.Ordinal)),
            "the console error is recorded"
        );
        await Eventually.TrueAsync(
            () => browser.ConsoleErrors.Any(error => error.Contains("no", StringComparison.Ordinal)),
            "the exception is recorded"
        );
    }

    [Fact]
    public async Task A_wait_that_times_out_names_the_condition_and_the_last_exception()
    {
        var failure = await Assert.ThrowsAsync<TimeoutException>(() =>
            Eventually.TrueAsync(
                bool () => throw new InvalidOperationException("no such row"),
                "the ticket is open",
                TimeSpan.FromMilliseconds(60)
            )
        );

        Assert.Equal(
            "Not within 0.06 s: the ticket is open. The last try ended in InvalidOperationException: no such row",
            failure.Message
        );
    }

    [Fact]
    public async Task Waiting_ends_even_if_the_condition_hangs()
    {
        var never = new TaskCompletionSource<bool>();

        await Assert.ThrowsAsync<TimeoutException>(() =>
            Eventually.TrueAsync(() => never.Task, "it answers", TimeSpan.FromMilliseconds(60))
        );
    }
}
