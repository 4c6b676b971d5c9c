using System.Net;

namespace AutoTicket.Tests.Kit;

public sealed class ConsoleProcessTests
{
    private static readonly Dictionary<string, string> Settings = new() { ["ASPNETCORE_ENVIRONMENT"] = "Development" };

    [Fact]
    public async Task The_built_console_answers_over_http_and_ends_when_asked()
    {
        await using var console = await ConsoleProcess.StartAsync(Settings);

        using var answer = await console.Http.GetAsync(new Uri("/no-such-page", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);

        Assert.Equal(0, await console.StopAsync());
        await Assert.ThrowsAsync<HttpRequestException>(() => console.Http.GetAsync(new Uri("/", UriKind.Relative)));
    }

    [Fact]
    public async Task A_frozen_console_answers_when_it_is_thawed_and_can_be_killed()
    {
        await using var console = await ConsoleProcess.StartAsync(Settings);

        console.Freeze();
        var answer = console.Http.GetAsync(new Uri("/no-such-page", UriKind.Relative));
        await Assert.ThrowsAsync<TimeoutException>(() => answer.WaitAsync(TimeSpan.FromMilliseconds(200)));
        console.Thaw();
        (await answer).Dispose();

        await console.KillAsync();
        Assert.Equal(128 + 9, await console.WaitForExitAsync(Eventually.Patience));
    }

    [Fact]
    public async Task A_console_that_does_not_start_says_why()
    {
        var settings = new Dictionary<string, string>(Settings) { ["ASPNETCORE_URLS"] = "nonsense" };

        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => ConsoleProcess.StartAsync(settings));

        Assert.Contains("nonsense", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_finished_run_returns_exit_code_and_output()
    {
        var settings = new Dictionary<string, string>(Settings) { ["ASPNETCORE_URLS"] = "nonsense" };

        var result = await ConsoleProcess.RunToEndAsync([], settings, input: "unread");

        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains("nonsense", result.Output + result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_that_does_not_end_is_killed()
    {
        var failure = await Assert.ThrowsAsync<TimeoutException>(() =>
            ConsoleProcess.RunToEndAsync([], Settings, timeout: TimeSpan.FromSeconds(1))
        );

        Assert.StartsWith("The console had not ended after 1 s.", failure.Message, StringComparison.Ordinal);
    }
}
