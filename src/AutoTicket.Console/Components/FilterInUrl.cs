using Microsoft.AspNetCore.Components;

namespace AutoTicket.Components;

/// <summary>A page's filter, which the URL repeats so that a view can be linked.</summary>
/// <remarks>The URL follows a change one round trip later. Reading it back then would undo what was typed in between, so only
/// navigations that began elsewhere are read: a link, back and forward.</remarks>
internal sealed class FilterInUrl<T>(NavigationManager navigation, T initial, Func<T, IReadOnlyDictionary<string, object?>> toQuery)
    where T : IEquatable<T>
{
    private string _own = NewMark();
    private T _named = initial;

    public T Current { get; private set; } = initial;

    /// <summary>Counts the navigations that began elsewhere: by a link, back or forward.</summary>
    public int Entries { get; private set; }

    public void Change(T filter)
    {
        Current = filter;
        navigation.NavigateTo(
            navigation.GetUriWithQueryParameters(toQuery(filter)),
            new NavigationOptions { ReplaceHistoryEntry = true, HistoryEntryState = _own }
        );
    }

    /// <param name="named">The filter that the URL names now.</param>
    public void Follow(T named)
    {
        if (named.Equals(_named))
        {
            return;
        }

        _named = named;
        if (navigation.HistoryEntryState != _own)
        {
            Current = named;
            Entries++;
            // Going back to an entry of this page is a navigation like any other.
            _own = NewMark();
        }
    }

    private static string NewMark() => Guid.NewGuid().ToString("N");
}
