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

    protected override Task OnInitializedAsync()
    {
        Watch.Changed += ReadSoon;
        return base.OnInitializedAsync();
    }

    protected override Task ReadAsync()
    {
        Attention = Watch.Current;
        return Task.CompletedTask;
    }

    protected override void Unsubscribe() => Watch.Changed -= ReadSoon;
}
