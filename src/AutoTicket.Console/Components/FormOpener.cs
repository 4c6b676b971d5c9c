using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;
using Microsoft.JSInterop;
using MudBlazor;

namespace AutoTicket.Components;

/// <summary>Base of a component with a button that opens a form. The button gets the focus back when the form closes: otherwise it would
/// be lost with the form, and a keyboard user would begin again at the top of the page.</summary>
public abstract class FormOpener : ComponentBase
{
    private bool _returnsFocus;

    protected bool IsOpen { get; private set; }

    /// <summary>The button that opens the form. It may be of an earlier rendering.</summary>
    protected MudButton? Opener { get; set; }

    protected void Open() => IsOpen = true;

    protected void Close() => (IsOpen, _returnsFocus) = (false, true);

    /// <summary>Closes the form and leaves the focus where it is, or to the caller.</summary>
    protected void CloseElsewhere() => (IsOpen, _returnsFocus) = (false, false);

    protected void CloseOnEscape(KeyboardEventArgs pressed)
    {
        if (pressed.Key == "Escape")
        {
            Close();
        }
    }

    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        // A disabled button can't have the focus; after a change it is enabled again.
        if (_returnsFocus && Opener is { Disabled: false } opener)
        {
            _returnsFocus = false;
            await BrowserCall.TryAsync(opener.FocusAsync);
        }
    }
}
