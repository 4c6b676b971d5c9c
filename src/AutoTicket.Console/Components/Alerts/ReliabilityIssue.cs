using System.Globalization;
using System.Text;
using AutoTicket.Alerts;

namespace AutoTicket.Components.Alerts;

/// <summary>The issue to file against a sender that changes its alert id (failure mode 1 of the runbook).</summary>
internal sealed record ReliabilityIssue(string Title, string Body)
{
    private const int MostSamples = 10;
    private const int ShortestFence = 3;

    public static ReliabilityIssue Of(UnstableProducer producer)
    {
        var samples = producer.Samples.Take(MostSamples).Select(OneLine).ToList();
        // Longer than any run of backticks inside, so that a hostile id can't end the code block.
        var fence = new string('`', samples.Append(producer.Name).Append(producer.Source).Max(LongestRun) + 1);
        var lastSeen = Durations.Moment(producer.LastSeen);
        var ids = samples.Count == 0 ? "" : $"Some of the ids:\n\n{fence}\n{string.Join('\n', samples)}\n{fence}\n\n";
        return new(
            $"type:reliability: {OneLine(producer.Source)} changes the id of alert {OneLine(producer.Name)}",
            string.Create(
                CultureInfo.InvariantCulture,
                $"""
                Label: type:reliability

                The sender below has sent one persistent alert under {producer.Ids} different ids so far, last at {lastSeen}.
                The id must stay the same while the alert lasts; otherwise every new id could become a new ticket.

                {fence}
                source:    {OneLine(producer.Source)}
                alert:     {OneLine(producer.Name)}
                alert_key: {producer.AlertKey}
                ids:       {producer.Ids}
                {fence}

                {ids}To do: derive the id from what the alert describes (name, target, labels), not from the time, a counter or a random
                number. Or send no id: the console then derives it from the labels.

                Done when repeated polls of the same active alert write at most one `console.alerts.ticket_filed` entry to the audit log.
                Until then the console merges the ids into one alert.
                If FLAG_CONSOLE_ALERTS_AUTO_TICKET was switched off for this alert, leave it off.

                """
            )
        );
    }

    private static string OneLine(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static int LongestRun(string text)
    {
        var (longest, run) = (ShortestFence - 1, 0);
        foreach (var letter in text)
        {
            run = letter == '`' ? run + 1 : 0;
            longest = Math.Max(longest, run);
        }

        return longest;
    }
}
