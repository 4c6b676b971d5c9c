using AutoTicket.Components.Pages;
using AutoTicket.Diagnostics;
using Microsoft.AspNetCore.Components;

namespace AutoTicket.Components.Layout;

/// <summary>Base of the small parts of the layout that show <see cref="AutoTicket.Diagnostics.Attention"/>. Each renders alone: the layout
/// itself must not, because the page would render with it.</summary>
public abstract class AttentionView : LivePage
{
    [Inject]
    private AttentionWatch Watch { get; set; } = default!;

    protected Attention Attention { get; private set; } = Attention.None;

    /// <returns>What this part shows, and renders again for.</returns>
    protected abstract object? Shown(Attention attention);

    protected override Task OnInitializedAsync()
    {
        Watch.Changed += OnChanged;
        return base.OnInitializedAsync();
    }

    protected override Task ReadAsync()
    {
        Attention = Watch.Current;
        return Task.CompletedTask;
    }

    // Every open page has several parts, and most changes concern one of them.
    private void OnChanged()
    {
        if (!Equals(Shown(Watch.Current), Shown(Attention)))
        {
            ReadNow();
        }
    }

    protected override void Unsubscribe() => Watch.Changed -= OnChanged;
}
