using AutoTicket.Alerts;

namespace AutoTicket.Diagnostics;

/// <summary>The hooks that every build must have, and those that this build lacks.</summary>
internal sealed partial class RequiredHooks : IHostedService
{
    private static readonly string[] Required = [DecisionSources.Ticket, DecisionSources.Slack];

    private readonly ILogger<RequiredHooks> _logger;

    public RequiredHooks(IEnumerable<IAlertHook> hooks, ILogger<RequiredHooks> logger)
    {
        _logger = logger;
        Registered = [.. hooks.Select(hook => hook.Name)];
        Missing = [.. Required.Except(Registered)];
    }

    public IReadOnlyList<string> Registered { get; }

    public IReadOnlyList<string> Missing { get; }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var hook in Missing)
        {
            Log.IsMissing(_logger, hook);
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static partial class Log
    {
        [LoggerMessage(
            LogLevel.Warning,
            "alert_aggregator hook={Hook} is not registered in this build: roll back, and inform the developers"
        )]
        public static partial void IsMissing(ILogger logger, string hook);
    }
}
