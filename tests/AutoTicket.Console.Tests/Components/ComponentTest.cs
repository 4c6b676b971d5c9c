using AngleSharp.Dom;
using AutoTicket.Surfaces;
using Bunit;
using MudBlazor.Services;

namespace AutoTicket.Tests.Components;

/// <summary>Renders components alone.</summary>
/// <remarks>Disposed asynchronously, because one of MudBlazor's services can't be disposed otherwise.</remarks>
public abstract class ComponentTest : BunitContext, IAsyncLifetime
{
    protected static readonly DateTimeOffset Now = new(2026, 3, 1, 3, 0, 0, TimeSpan.Zero);
    protected static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    // bUnit waits 1 s by default, which is too short on a busy machine.
    static ComponentTest() => DefaultWaitTimeout = Kit.Eventually.Patience;

    protected ComponentTest()
    {
        JSInterop.Mode = JSRuntimeMode.Loose;
        Services.AddMudServices();
    }

    public Task InitializeAsync() => Task.CompletedTask;

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    protected static SurfaceSnapshot Snapshot(
        string name,
        SurfaceStatus status,
        Severity severity = Severity.P2,
        string group = "",
        string? cause = null,
        params ReadingOutcome[] history
    )
    {
        var key = name.ToLowerInvariant().Replace(' ', '-');
        var isKnown = status is not SurfaceStatus.Unknown;
        return new(
            new Surface
            {
                Key = key,
                Name = name,
                Group = group,
                Severity = severity,
                Url = new Uri("https://example.org/"),
            },
            status,
            isKnown ? Now.AddMinutes(-12) : null,
            isKnown ? Now.AddSeconds(-8) : null,
            isKnown ? 231 : null,
            isKnown ? 812 : null,
            cause,
            [.. history.Select((outcome, i) => Reading(key, i - history.Length, outcome))],
            IsFlapping: false,
            isKnown ? UpFor(TimeSpan.FromDays(1), 0.99999) : Availability.Unknown
        );
    }

    /// <summary>An availability with this known time, and this share of it up.</summary>
    protected static Availability UpFor(TimeSpan known, double share) =>
        new(new(TimeSpan.FromDays(1), known, share * known), new(TimeSpan.FromDays(30), known, share * known));

    protected static SurfaceReading Reading(string key, int index, ReadingOutcome outcome, string? cause = null) =>
        new()
        {
            SurfaceKey = key,
            CheckedAt = Now + index * Interval,
            Outcome = outcome,
            LatencyMs = outcome is ReadingOutcome.Failed ? null : 200,
            Cause = cause,
        };

    /// <summary>The text as a user reads it: words of all elements, separated by one space.</summary>
    protected static string TextOf(INode node) =>
        string.Join(
            ' ',
            node.GetDescendants().OfType<IText>().SelectMany(text => text.Data.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
        );

    /// <summary>The only button whose text contains <paramref name="name"/>.</summary>
    protected static IElement Button<T>(IRenderedComponent<T> component, string name)
        where T : Microsoft.AspNetCore.Components.IComponent =>
        Assert.Single(component.FindAll("button"), button => TextOf(button).Contains(name, StringComparison.Ordinal));
}
