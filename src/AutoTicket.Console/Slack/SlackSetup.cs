using AutoTicket.Alerts;

namespace AutoTicket.Slack;

internal static class SlackSetup
{
    public static void AddSlack(this WebApplicationBuilder builder)
    {
        builder.Services.AddSlackHook();
        builder.Services.AddHosted<RecoveredReminder>();
        builder.Services.AddHosted<UnclaimedReminder>();
        builder.Services.AddHosted<FlagNotice>();
        builder.Services.AddHosted<FlagReminder>();
    }

    /// <summary>The hook and what it needs to send messages.</summary>
    public static void AddSlackHook(this IServiceCollection services)
    {
        services.AddSettings<SlackOptions>("Slack");
        services.AddSingleton<SlackHealth>();
        services.AddSingleton<SlackClient>();
        services.AddSingleton<IAlertHook, SlackAlertHook>();
        services
            .AddOutgoingHttpClient(SlackClient.HttpName)
            .ConfigureHttpClient(client => client.MaxResponseContentBufferSize = SlackClient.LongestAnswer);
    }
}
