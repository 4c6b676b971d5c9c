using AutoTicket.Components.Layout;
using AutoTicket.Data;
using AutoTicket.Security;
using Microsoft.AspNetCore.Components.Web;
using MudBlazor.Services;

namespace AutoTicket.Components;

internal static class ComponentsSetup
{
    public static void AddComponents(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddMudServices();
        services.AddSingleton<TableExports>();
        services
            .AddRazorComponents()
            .AddInteractiveServerComponents()
            .AddHubOptions(CircuitLiveness.Configure)
            .AddHubOptions(RequestGuardsSetup.ConfigureHub);
        // After AddRazorComponents, so that it replaces Blazor's own.
        services.AddScoped<IErrorBoundaryLogger, OutageAwareErrorLogger>();
        services.AddCascadingAuthenticationState();
        services.AddCascadingValue("SandboxUrl", provider => provider.GetRequiredService<SandboxNotice>().Url?.AbsoluteUri);
        services.AddCascadingValue("SandboxStandIns", provider => provider.GetRequiredService<SandboxNotice>().StandIns);
    }

    public static void MapComponents(this WebApplication app)
    {
        app.MapStaticAssets().AllowAnonymous();
        app.MapRazorComponents<App>().AddInteractiveServerRenderMode();
        TableExports.Map(app);
        app.MapGet("/", () => Results.LocalRedirect("/console/status")).ExcludeFromDescription();
        app.MapGet("/console", () => Results.LocalRedirect("/console/status")).ExcludeFromDescription();
    }
}
