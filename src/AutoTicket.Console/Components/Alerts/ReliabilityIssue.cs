using AutoTicket.Alerts;

namespace AutoTicket.Components.Alerts;

/// <summary>What to tell those who keep a producer that makes up ids (failure mode 1 of the runbook).</summary>
internal static class ReliabilityIssue
{
    public static string Of(UnstableProducer producer) => $"""
        Title: {producer.Source}: alert_id of a persistent alert changes
        Labels: type:reliability

        {producer.Source} sent {producer.Ids} different alert_id values for the one alert “{producer.Name}” (alert_key {producer.AlertKey}), last at {producer.LastSeen.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC:
        {string.Join('\n', producer.Samples.Select(sample => $"- {sample}"))}

        An alert must keep its alert_id for as long as it is active; a new one means a new alert to everybody who reads them.
        Expected: the same alert_id at each emission until the alert is resolved.
        """;
}
