using AutoTicket.Diagnostics;
using Microsoft.AspNetCore.Components;

namespace AutoTicket.Components.Layout;

/// <summary>Base of the small parts of the layout that show <see cref="AutoTicket.Diagnostics.Attention"/>. Each renders alone: the layout
/// itself must not, because the page would render with it.</summary>
public abstract class AttentionView : ComponentBase
{
    private object? _before;
    private bool _hasNews;

    [CascadingParameter]
    protected Attention Attention { get; set; } = Attention.None;

    /// <summary>What this part shows, and renders again for: most changes concern one of several parts.</summary>
    protected abstract object? Shown { get; }

    protected override void OnParametersSet()
    {
        var shown = Shown;
        _hasNews = !Equals(shown, _before);
        _before = shown;
    }

    protected override bool ShouldRender() => _hasNews;
}
