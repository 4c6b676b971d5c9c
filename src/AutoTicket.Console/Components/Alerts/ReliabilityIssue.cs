using System.Globalization;
using System.Text;
using AutoTicket.Alerts;

namespace AutoTicket.Components.Alerts;

/// <summary>The issue to file against a producer that makes up ids: failure mode 1 of the runbook.</summary>
internal sealed record ReliabilityIssue(string Title, string Body)
{
    private const int MostSamples = 10;
    private const int ShortestFence = 3;

    public static ReliabilityIssue Of(UnstableProducer producer)
    {
        var samples = producer.Samples.Take(MostSamples).Select(OneLine).ToList();
        // Longer than any run of backticks inside, which would end the block and let the rest be markup.
        var fence = new string('`', samples.Append(producer.Name).Append(producer.Source).Max(LongestRun) + 1);
        var body = new StringBuilder()
            .Append(CultureInfo.InvariantCulture, $"Label: type:reliability\n\n")
            .Append(
                CultureInfo.InvariantCulture,
                $"The producer below sends one persistent alert under {producer.Ids} different ids so far, last at {Durations.Moment(producer.LastSeen)}. "
            )
            .Append("An id must stay the same for as long as the alert lasts: every new one would otherwise be a new ticket.\n\n")
            .Append(
                CultureInfo.InvariantCulture,
                $"{fence}\nsource:    {OneLine(producer.Source)}\nalert:     {OneLine(producer.Name)}\nalert_key: {producer.AlertKey}\nids:       {producer.Ids}\n{fence}\n\n"
            );
        if (samples.Count > 0)
        {
            body.Append(CultureInfo.InvariantCulture, $"Some of the ids:\n\n{fence}\n{string.Join('\n', samples)}\n{fence}\n\n");
        }

        body.Append(
                "To do: derive the id from what the alert is about (name, target, labels), not from the time, a counter or a random number; or send none, and it is derived from the labels.\n\n"
            )
            .Append(
                "Done when repeated polls of the same active alert lead to at most one `console.alerts.ticket_filed` entry in the audit log. "
            )
            .Append(
                "Until then the console folds the ids into one alert; FLAG_CONSOLE_ALERTS_AUTO_TICKET stays off if it was switched off for this.\n"
            );
        return new($"type:reliability: {OneLine(producer.Source)} makes up ids of the alert {OneLine(producer.Name)}", body.ToString());
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
