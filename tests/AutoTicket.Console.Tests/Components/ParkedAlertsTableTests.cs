using AutoTicket.Components.Alerts;
using AutoTicket.Intake;
using Bunit;

namespace AutoTicket.Tests.Components;

public sealed class ParkedAlertsTableTests : ComponentTest
{
    private static readonly ParkedAlert Parked = new()
    {
        Id = 4,
        ReceivedAt = Now.AddMinutes(-3),
        Intake = "generic",
        Reason = "“severity” must be P1 to P4.",
        Text = "{\"name\":\"<img src=x onerror=alert(1)>\"}",
        IsWhole = true,
    };

    [Fact]
    [Trait("Pitfall", "T-56")]
    public void A_row_shows_time_format_reason_and_the_raw_text()
    {
        var row = Table([Parked]).Find("tbody tr");

        Assert.Equal(
            "2026-03-01 02:57:00 UTC generic “severity” must be P1 to P4. "
                + "{\"name\":\"<img src=x onerror=alert(1)>\"} Retry parked alert 4 Discard parked alert 4",
            TextOf(row)
        );
        Assert.Empty(row.QuerySelectorAll("img"));
    }

    [Fact]
    public void Raw_text_keeps_its_lines_and_hides_bidirectional_marks() =>
        Assert.Equal("{\"a\":\n \"gpj. exe\"}", Table([Parked.With(4, text: "{\"a\":\n \"gpj.\u202eexe\"}")]).Find("pre").TextContent);

    [Fact]
    public void Retry_and_discard_name_their_alert()
    {
        var asked = new List<string>();
        var table = Table([Parked, Parked.With(9)], id => asked.Add($"retry {id}"), id => asked.Add($"discard {id}"));

        Button(table, "Retry parked alert 9").Click();
        Button(table, "Discard parked alert 4").Click();

        Assert.Equal(["retry 9", "discard 4"], asked);
    }

    [Fact]
    public void A_truncated_alert_can_not_be_retried_and_says_so()
    {
        var table = Table([Parked.With(4, isWhole: false)]);

        Assert.DoesNotContain(table.FindAll("button"), button => TextOf(button).StartsWith("Retry", StringComparison.Ordinal));
        Assert.Contains("Truncated: ask the sender to resend.", TextOf(table.Find("tbody")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_repeated_alert_shows_its_count_and_first_time() =>
        Assert.StartsWith(
            "2026-03-01 02:57:00 UTC , 7 times since 2026-03-01 02:30:00 UTC generic",
            TextOf(Table([Parked.With(4, count: 7)]).Find("tbody tr")),
            StringComparison.Ordinal
        );

    [Fact]
    public void An_empty_table_says_so() => Assert.Equal("No parked alerts.", TextOf(Table([]).Find("tbody")));

    private IRenderedComponent<ParkedAlertsTable> Table(ParkedAlert[] rows, Action<long>? onRetry = null, Action<long>? onDiscard = null) =>
        Render<ParkedAlertsTable>(parameters =>
            parameters.Add(t => t.Rows, rows).Add(t => t.OnRetry, onRetry ?? (_ => { })).Add(t => t.OnDiscard, onDiscard ?? (_ => { }))
        );
}

file static class ParkedAlertCopies
{
    public static ParkedAlert With(this ParkedAlert parked, long id, bool isWhole = true, int count = 1, string? text = null) =>
        new()
        {
            Id = id,
            Count = count,
            FirstReceivedAt = parked.ReceivedAt.AddMinutes(-27),
            ReceivedAt = parked.ReceivedAt,
            Intake = parked.Intake,
            Reason = parked.Reason,
            Text = text ?? parked.Text,
            IsWhole = isWhole,
        };
}
