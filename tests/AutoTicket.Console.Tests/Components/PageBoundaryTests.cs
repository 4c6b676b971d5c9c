using AutoTicket.Components;
using AutoTicket.Components.Layout;
using AutoTicket.Data;
using Bunit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Rendering;
using Microsoft.AspNetCore.Components.Web;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace AutoTicket.Tests.Components;

public sealed class PageBoundaryTests : ComponentTest
{
    private readonly Logger _logger = new();

    public PageBoundaryTests() => Services.AddSingleton<IErrorBoundaryLogger>(_logger);

    [Fact]
    public void An_error_stops_only_its_page_which_can_be_shown_again()
    {
        var boundary = Render<PageBoundary>(parameters => parameters.AddChildContent<Page>());

        Button(boundary, "Discard").Click();
        Assert.Contains("This page has stopped", TextOf(boundary.Find("h1")), StringComparison.Ordinal);
        Assert.Contains("may not have been done", TextOf(boundary.Find("[role=alert]")), StringComparison.Ordinal);
        Assert.IsType<TimeoutException>(Assert.Single(_logger.Errors));

        Button(boundary, "Show the page again").Click();
        Assert.Equal("Discard", TextOf(boundary.Find("button")));
    }

    [Fact]
    public void Navigation_clears_the_error()
    {
        var boundary = Render<PageBoundary>(parameters => parameters.AddChildContent<Page>());
        Button(boundary, "Discard").Click();

        boundary.Render(parameters => parameters.AddChildContent<Page>());

        Assert.Empty(boundary.FindAll("h1"));
    }

    [Theory]
    [InlineData(true, LogLevel.Warning)]
    [InlineData(false, LogLevel.Error)]
    public async Task An_outage_of_the_database_is_a_WARNING_and_any_other_error_an_ERROR(bool isOutage, LogLevel level)
    {
        var log = new FakeLogger<OutageAwareErrorLogger>();

        await new OutageAwareErrorLogger(log).LogErrorAsync(isOutage ? new TimeoutException() : new InvalidOperationException());

        Assert.Equal(level, Assert.Single(log.Collector.GetSnapshot()).Level);
        var builder = WebApplication.CreateSlimBuilder();
        builder.AddComponents();
        var registered = builder.Services.Last(service => service.ServiceType == typeof(IErrorBoundaryLogger));
        Assert.Equal(typeof(OutageAwareErrorLogger), registered.ImplementationType);
    }

    private sealed class Page : ComponentBase
    {
        protected override void BuildRenderTree(RenderTreeBuilder builder)
        {
            builder.OpenElement(0, "button");
            builder.AddAttribute(
                1,
                "onclick",
                EventCallback.Factory.Create(this, () => throw new TimeoutException("The database is away."))
            );
            builder.AddContent(2, "Discard");
            builder.CloseElement();
        }
    }

    private sealed class Logger : IErrorBoundaryLogger
    {
        public List<Exception> Errors { get; } = [];

        public ValueTask LogErrorAsync(Exception exception)
        {
            Errors.Add(exception);
            return ValueTask.CompletedTask;
        }
    }
}
