using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Options;
using Polly;

namespace AutoTicket.FreeScout;

internal static class FreeScoutSetup
{
    public static void AddFreeScout(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSettings<FreeScoutOptions>("FreeScout");
        services.AddSingleton<FreeScoutHealth>();
        services.AddSingleton<FreeScoutClient>();
        services.AddSingleton<FreeScoutProbe>();
        services.AddTransient<AnswerReader>();
        var client = services
            .AddOutgoingHttpClient(FreeScoutClient.HttpName)
            .UseSocketsHttpHandler(
                (handler, _) =>
                {
                    handler.ConnectTimeout = TimeSpan.FromSeconds(3);
                    handler.MaxConnectionsPerServer = FreeScoutClient.MostAtOnce;
                }
            );
        client.AddResilienceHandler(
            FreeScoutClient.HttpName,
            (pipeline, context) =>
                FreeScoutResilience.Configure(
                    pipeline,
                    context.ServiceProvider.GetRequiredService<IOptions<FreeScoutOptions>>().Value,
                    context.ServiceProvider.GetRequiredService<FreeScoutHealth>(),
                    context.ServiceProvider.GetRequiredService<TimeProvider>()
                )
        );
        // Inside the pipeline, so that a torn or endless body counts as a failure.
        client.AddHttpMessageHandler<AnswerReader>();
        services.AddOutgoingHttpClient(FreeScoutProbe.HttpName).AddHttpMessageHandler<AnswerReader>();
    }
}
