using Microsoft.Extensions.Options;

namespace AutoTicket.Surfaces;

internal static class SurfacesSetup
{
    public static void AddSurfaces(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSettings<StatusOptions>("Status");
        services.AddSingleton(provider =>
            SurfaceList.Read(builder.Configuration, provider.GetRequiredService<IOptions<StatusOptions>>().Value)
        );
        services.AddSingleton<SurfaceProbe>();
        services.AddSingleton<StatusBoard>();
        services.AddSingleton<SurfaceHistory>();
        services.AddSingleton<SurfaceAvailability>();
        services.AddSingleton(SurfaceAvailability.Expiry);
        services.AddSingleton<SurfaceTrends>();
        services.AddHosted<ReadingRelay>().AddHosted<StatusPoller>().AddHosted<StatusBoardTicker>();
    }
}
