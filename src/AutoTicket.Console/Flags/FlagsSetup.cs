using Microsoft.FeatureManagement;

namespace AutoTicket.Flags;

internal static class FlagsSetup
{
    public static void AddFlags(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton(provider =>
            FlagEnvironment.Read(builder.Configuration, defaultOn: provider.GetRequiredService<SandboxNotice>().StandsInForFreeScout)
        );
        services.AddSingleton<FlagStore>();
        services.AddHosted<FlagWatch>();
        // Before AddFeatureManagement, which would otherwise read flags from the configuration.
        services.AddSingleton<IFeatureDefinitionProvider>(provider => provider.GetRequiredService<FlagWatch>());
        services.AddFeatureManagement();
    }
}
