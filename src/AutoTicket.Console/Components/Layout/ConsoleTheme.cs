using AutoTicket.Surfaces;
using MudBlazor;

namespace AutoTicket.Components.Layout;

/// <summary>The console's colors and typography.</summary>
/// <remarks>Text has five sizes: 12, 14, 16, 20 and 28 px; only the wall view is larger. Text colors have a contrast of at least 4.5:1 on
/// the page, on a tile and in a filled mark; MudBlazor's own warning and info colors do not.</remarks>
internal static class ConsoleTheme
{
    public static readonly MudTheme Theme = new()
    {
        Typography = new Typography
        {
            Default = new DefaultTypography { FontFamily = ["Roboto", "system-ui", "sans-serif"] },
            H4 = new H4Typography
            {
                FontSize = "clamp(1.25rem, 1rem + 1.5vw, 1.75rem)",
                FontWeight = "600",
                LineHeight = "1.25",
                LetterSpacing = "normal",
            },
            H5 = new H5Typography
            {
                FontSize = "1.25rem",
                FontWeight = "600",
                LetterSpacing = "normal",
            },
            H6 = new H6Typography
            {
                FontSize = "1.25rem",
                FontWeight = "600",
                LetterSpacing = "normal",
            },
            Button = new ButtonTypography
            {
                TextTransform = "none",
                FontWeight = "500",
                LetterSpacing = "normal",
            },
        },
        LayoutProperties = new LayoutProperties { DefaultBorderRadius = "6px", AppbarHeight = "56px" },
        PaletteLight = new PaletteLight
        {
            Primary = "#1a4f9c",
            Secondary = "#5a3fa6",
            Info = "#0b5a8f",
            Success = "#1c6b3a",
            Warning = "#8a4b00",
            Error = "#b3201b",
            WarningContrastText = "#ffffff",
            Background = "#f3f5f7",
            Surface = "#ffffff",
            AppbarBackground = "#16202c",
            AppbarText = "#f2f5f8",
            TextPrimary = "#14191f",
            TextSecondary = "#4a5560",
            TextDisabled = "#646f7a",
            ActionDisabled = "#646f7a",
            LinesDefault = "#cdd5dc",
            LinesInputs = "#6b7783",
            TableLines = "#d9dfe5",
            Divider = "#cdd5dc",
        },
        PaletteDark = new PaletteDark
        {
            Primary = "#8ab6f9",
            PrimaryContrastText = "#0d1219",
            Secondary = "#bda7ff",
            SecondaryContrastText = "#0d1219",
            Info = "#7cc4f2",
            InfoContrastText = "#0d1219",
            Success = "#6cc48d",
            SuccessContrastText = "#0d1219",
            Warning = "#f0b24a",
            WarningContrastText = "#0d1219",
            Error = "#ff8177",
            ErrorContrastText = "#0d1219",
            Background = "#0e1318",
            BackgroundGray = "#0e1318",
            Surface = "#171d24",
            DrawerBackground = "#171d24",
            AppbarBackground = "#0a0e12",
            AppbarText = "#e8edf2",
            TextPrimary = "#e4e9ee",
            TextSecondary = "#a7b3be",
            TextDisabled = "#8d99a5",
            ActionDefault = "#a7b3be",
            ActionDisabled = "#8d99a5",
            LinesDefault = "#2c3640",
            LinesInputs = "#7a8794",
            TableLines = "#2c3640",
            Divider = "#2c3640",
        },
    };
}
