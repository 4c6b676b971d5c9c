using AutoTicket.Components.Layout;
using AutoTicket.Components.Pages;
using AutoTicket.Security;
using Bunit;
using Microsoft.AspNetCore.Components.Web;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace AutoTicket.Tests.Components;

/// <summary>A page after it was closed, or while the console stops.</summary>
public sealed class LivePageTests : ComponentTest, IErrorBoundaryLogger
{
    private readonly ApplicationLifetime _console = new(NullLogger<ApplicationLifetime>.Instance);
    private readonly List<Exception> _errors = [];
    private readonly FakeTimeProvider _clock = new();

    public LivePageTests() =>
        Services
            .AddSingleton<IErrorBoundaryLogger>(this)
            .AddSingleton<IHostApplicationLifetime>(_console)
            .AddSingleton(TimeProvider.System)
            .AddSingleton(new CircuitAuthorization(null!, null!, null!));

    [Fact]
    public void Work_started_by_a_click_can_ask_whether_the_page_is_closed()
    {
        var (boundary, page) = Open();
        Assert.False(page.Until.IsCancellationRequested);

        Leave(boundary);

        Assert.True(page.Until.IsCancellationRequested);
    }

    // The console disposes its services while pages are still open.
    [Fact]
    public async Task An_open_page_stops_reading_when_the_console_stops()
    {
        var (boundary, page) = Open();
        await boundary.InvokeAsync(page.News);
        Assert.Equal(2, page.Reads);

        _console.StopApplication();
        await boundary.InvokeAsync(page.News);

        Assert.Equal(2, page.Reads);
    }

    [Theory, InlineData(true), InlineData(false)]
    public async Task A_read_that_fails_after_the_page_closed_is_no_error(bool isLeft)
    {
        var (boundary, page) = Open();
        page.Answer = new TaskCompletionSource();
        await boundary.InvokeAsync(page.News);

        if (isLeft)
        {
            Leave(boundary);
        }
        else
        {
            _console.StopApplication();
        }

        await boundary.InvokeAsync(() => page.Answer.SetException(new ObjectDisposedException("IServiceProvider")));

        Assert.Empty(_errors);
        Assert.Empty(boundary.FindAll("h1"));
    }

    [Fact]
    public async Task A_page_whose_circuit_was_abandoned_closes_itself_and_is_no_error()
    {
        var (boundary, page) = Open();
        page.Answer = new TaskCompletionSource();
        await boundary.InvokeAsync(page.News);

        await boundary.InvokeAsync(() => page.Answer.SetException(new ObjectDisposedException("IServiceProvider")));

        boundary.WaitForAssertion(() => Assert.True(page.Until.IsCancellationRequested));
        Leave(boundary);
        Assert.Equal(1, page.Unsubscribed);
        Assert.Empty(_errors);
    }

    [Fact]
    public async Task A_read_that_fails_on_an_open_page_stops_the_page()
    {
        var (boundary, page) = Open();
        page.Answer = new TaskCompletionSource();
        await boundary.InvokeAsync(page.News);

        await boundary.InvokeAsync(() => page.Answer.SetException(new TimeoutException()));

        boundary.WaitForAssertion(() => Assert.Contains("This page has stopped", TextOf(boundary.Find("h1")), StringComparison.Ordinal));
        Assert.IsType<TimeoutException>(Assert.Single(_errors));
    }

    [Fact]
    public async Task An_urgent_change_is_read_at_once_and_a_storm_of_them_in_turns()
    {
        Services.AddSingleton<TimeProvider>(_clock);
        var (boundary, page) = Open();
        page.Delay = TimeSpan.FromMinutes(1);
        await boundary.InvokeAsync(page.News);
        Assert.Equal(1, page.Reads);

        await boundary.InvokeAsync(page.UrgentNews);
        boundary.WaitForAssertion(() => Assert.Equal(2, page.Reads));

        await boundary.InvokeAsync(page.UrgentNews);
        await boundary.InvokeAsync(page.UrgentNews);
        Assert.Equal(2, page.Reads);
        boundary.WaitForAssertion(() =>
        {
            _clock.Advance(TimeSpan.FromMilliseconds(50));
            Assert.Equal(3, page.Reads);
        });
    }

    // On a slow database the reads of a storm would take all its connections.
    [Fact]
    public async Task A_page_reads_once_at_a_time_and_then_whatever_changed_meanwhile()
    {
        var (boundary, page) = Open();
        var first = page.Answer = new TaskCompletionSource();
        await boundary.InvokeAsync(page.News);
        page.Answer = null;

        await boundary.InvokeAsync(page.News);
        await boundary.InvokeAsync(page.UrgentNews);
        await boundary.InvokeAsync(page.News);
        Assert.Equal(2, page.Reads);

        await boundary.InvokeAsync(first.SetResult);
        boundary.WaitForAssertion(() => Assert.Equal(3, page.Reads));
    }

    // One thread would read hundreds of open pages one after another.
    [Fact]
    public void The_thread_that_announces_an_urgent_change_reads_no_page()
    {
        var (boundary, page) = Open();
        page.Delay = TimeSpan.FromMinutes(1);

        var announcing = new Thread(page.UrgentNews);
        announcing.Start();
        announcing.Join();

        boundary.WaitForAssertion(() => Assert.Equal(2, page.Reads));
        Assert.NotEqual(announcing.ManagedThreadId, page.ReadBy);
    }

    [Fact]
    public async Task A_read_without_news_renders_nothing()
    {
        var (boundary, page) = Open();
        var rendered = boundary.FindComponent<Page>().RenderCount;

        page.IsNews = false;
        await boundary.InvokeAsync(page.News);
        Assert.Equal((2, rendered), (page.Reads, boundary.FindComponent<Page>().RenderCount));

        page.IsNews = true;
        await boundary.InvokeAsync(page.News);
        Assert.Equal((3, rendered + 1), (page.Reads, boundary.FindComponent<Page>().RenderCount));
    }

    private static void Leave(IRenderedComponent<PageBoundary> boundary) =>
        boundary.Render(parameters => parameters.AddChildContent("<p>another page</p>"));

    public ValueTask LogErrorAsync(Exception exception)
    {
        _errors.Add(exception);
        return ValueTask.CompletedTask;
    }

    private (IRenderedComponent<PageBoundary> Boundary, Page Page) Open()
    {
        var boundary = Render<PageBoundary>(parameters => parameters.AddChildContent<Page>());
        return (boundary, boundary.FindComponent<Page>().Instance);
    }

    private sealed class Page : LivePage
    {
        public int Reads { get; private set; }

        public int ReadBy { get; private set; }

        public int Unsubscribed { get; private set; }

        public TaskCompletionSource? Answer { get; set; }

        public CancellationToken Until => PageClosed;

        public TimeSpan Delay { get; set; }

        public bool IsNews { get; set; } = true;

        protected override TimeSpan UpdateDelay => Delay;

        protected override bool HasNews => IsNews;

        public void News() => ReadSoon();

        public void UrgentNews() => ReadNow();

        protected override void Unsubscribe() => Unsubscribed++;

        protected override Task ReadAsync()
        {
            ReadBy = Environment.CurrentManagedThreadId;
            Reads++;
            return Answer?.Task ?? Task.CompletedTask;
        }
    }
}
