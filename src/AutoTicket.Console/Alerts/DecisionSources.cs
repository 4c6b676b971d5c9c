namespace AutoTicket.Alerts;

/// <summary>The values of <see cref="AlertDecision.Path"/>: the hooks' names, and the other sources of decisions.</summary>
public static class DecisionSources
{
    public const string Ticket = "ticket";
    public const string Slack = "slack";
    public const string Click = "click";
    public const string Intake = "intake";

    /// <summary>The test alert that regularly goes from the aggregator to the hooks.</summary>
    public const string Canary = "canary";
}
