using AutoTicket.Components.Layout;
using AutoTicket.Surfaces;
using Bunit;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Components;

public sealed class CommandPaletteTests : ComponentTest
{
    [Theory]
    [InlineData("us", "Status")]
    [InlineData("con", "")]
    [InlineData(" PAY-1 ", "Payments API")]
    [InlineData("api", "Payments API")]
    public void The_letters_are_found_in_names_and_keys_and_not_in_addresses(string text, string found)
    {
        Services.AddSingleton(
            new SurfaceList([
                new()
                {
                    Key = "pay-1",
                    Name = "Payments API",
                    Url = new("https://pay.example/"),
                },
            ])
        );
        var palette = Render<CommandPalette>();

        palette.Find("input").Input(text);

        Assert.Equal(found, string.Join(", ", palette.FindAll("li").Select(TextOf)));
        Assert.Equal(text, palette.Find("ul").GetAttribute("data-of"));
    }
}
