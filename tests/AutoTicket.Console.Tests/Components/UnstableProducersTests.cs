using AutoTicket.Alerts;
using AutoTicket.Components.Alerts;
using Bunit;

namespace AutoTicket.Tests.Components;

public sealed class UnstableProducersTests : ComponentTest
{
    private static readonly UnstableProducer Noisy = new(
        "noisy",
        "disk_full",
        "0123456789abcdef",
        17,
        ["a-1", "a-2", "a-3"],
        Now.AddMinutes(-3)
    );

    [Fact]
    public void Names_the_sender_the_number_of_ids_and_samples()
    {
        var panel = Panel(Noisy);
        var section = panel.Find("section");

        Assert.Equal("noisy changes its alert id", TextOf(panel.Find($"#{section.GetAttribute("aria-labelledby")}")));
        Assert.Contains("disk_full came with 17 ids, last 3 min ago", TextOf(section), StringComparison.Ordinal);
        Assert.Equal(["a-1", "a-2", "a-3"], panel.FindAll("li").Select(TextOf));
        Assert.Empty(Panel().FindAll("section"));
    }

    [Fact]
    public void The_issue_to_file_can_be_copied()
    {
        var panel = Panel(Noisy);
        var issue = ReliabilityIssue.Of(Noisy);

        Assert.Equal(issue.Title, panel.Find("input").GetAttribute("value"));
        Assert.Equal(issue.Body, panel.Find("textarea").TextContent);
        foreach (var button in new[] { "Copy title", "Copy text" })
        {
            Assert.True(panel.Find($"#{Button(panel, button).GetAttribute("data-copy")}").HasAttribute("readonly"));
        }
    }

    [Fact]
    public void The_issue_is_of_type_reliability_and_names_source_alert_key_count_samples_and_when_it_is_done()
    {
        var issue = ReliabilityIssue.Of(Noisy);

        Assert.Equal("type:reliability: noisy changes the id of alert disk_full", issue.Title);
        Assert.StartsWith("Label: type:reliability\n", issue.Body, StringComparison.Ordinal);
        Assert.Contains("under 17 different ids so far, last at 2026-03-01 02:57:00 UTC", issue.Body, StringComparison.Ordinal);
        Assert.Contains("alert_key: 0123456789abcdef\n", issue.Body, StringComparison.Ordinal);
        Assert.Contains("```\na-1\na-2\na-3\n```\n", issue.Body, StringComparison.Ordinal);
        Assert.Contains("at most one `console.alerts.ticket_filed` entry", issue.Body, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Pitfall", "T-56")]
    public void An_id_can_not_end_its_code_block_or_line()
    {
        var hostile = Noisy with { Name = "x\n\n# Heading", Samples = ["a\n```\n<script>alert(1)</script>", "````"] };
        var issue = ReliabilityIssue.Of(hostile);

        Assert.Equal("type:reliability: noisy changes the id of alert x # Heading", issue.Title);
        Assert.DoesNotContain("\n# Heading", issue.Body, StringComparison.Ordinal);
        Assert.Contains("\n`````\na ``` <script>alert(1)</script>\n````\n`````\n", issue.Body, StringComparison.Ordinal);
        Assert.Empty(Panel(hostile).FindAll("script"));
    }

    private IRenderedComponent<UnstableProducers> Panel(params UnstableProducer[] producers) =>
        Render<UnstableProducers>(parameters => parameters.Add(p => p.Producers, producers).Add(p => p.Now, Now));
}
