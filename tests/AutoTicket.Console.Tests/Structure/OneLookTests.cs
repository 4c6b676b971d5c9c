using AutoTicket.Hosting;

namespace AutoTicket.Tests.Structure;

/// <summary>Filters and pagers look alike on all pages.</summary>
public sealed class OneLookTests
{
    [Theory]
    [InlineData("MudButtonGroup")]
    [InlineData("class=\"choice ", "Choice.razor")]
    [InlineData("class=\"choice\"")]
    [InlineData("data-turns", "Pager.razor")]
    public void A_filter_is_a_choice_and_a_list_that_is_read_page_by_page_has_the_pager(string markup, string? only = null) =>
        Assert.Equal(
            only is null ? [] : [only],
            Directory
                .EnumerateFiles(
                    Path.Combine(ContentRoot.Find(), "src", "AutoTicket.Console", "Components"),
                    "*.razor",
                    SearchOption.AllDirectories
                )
                .Where(file => File.ReadAllText(file).Contains(markup, StringComparison.Ordinal))
                .Select(Path.GetFileName)
        );
}
