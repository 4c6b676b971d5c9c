using System.Text.RegularExpressions;
using AutoTicket.Alerts;
using AutoTicket.Incidents;

namespace AutoTicket.Tests.Incidents;

/// <summary>The file that people paste into issues and chats: text from outside in it is never markup.</summary>
public sealed partial class IncidentMarkdownTests
{
    private const string Console = "https://console.example.org";

    [Theory]
    [InlineData("<img src=x onerror=alert(1)>")]
    [InlineData("[click](javascript:alert(1))")]
    [InlineData("![x](https://evil.example/beacon.png)")]
    [InlineData("**bold** _it_ `code` ~~gone~~ | cell |")]
    [InlineData("# heading\n- item\n> quote\n1. one\n---\n```\nfence")]
    [InlineData("&lt;script&gt; &#60;b&#62;")]
    [InlineData("https://evil.example @everyone #1 mail@evil.example")]
    [InlineData("back\\slash\\[x](y)")]
    [InlineData("$math$ ^up^ :smile:")]
    public void Hostile_text_is_one_line_of_plain_text(string hostile)
    {
        var plain = IncidentMarkdown.Plain(hostile);

        Assert.DoesNotContain('\n', plain);
        // Every character that CommonMark or GitHub could read as markup inside a line is escaped.
        Assert.Empty(Unescaped().Matches(plain.Replace("\\\\", "", StringComparison.Ordinal)).Select(match => match.Value));
        // It reads as it was written.
        Assert.Equal(
            hostile.Replace('\n', ' '),
            System.Net.WebUtility.HtmlDecode(
                Escape().Replace(plain, match => match.Groups[1].Value == "&" ? "&amp;" : match.Groups[1].Value)
            )
        );
    }

    [Fact]
    public void Hostile_texts_stay_on_their_own_line_of_the_document()
    {
        const string hostile = "x\n\n# Owned\n[a](b) <b>";
        var alert = Rows.Alert(ended: 60) with { Summary = hostile, Source = hostile, Name = hostile };
        var rows = Rows.Of(alert) with
        {
            Decisions = [Rows.Decision(DecisionSources.Ticket, DecisionWord.FlagOff, 31, detail: hostile)],
            Tickets = [Rows.Ticket(closed: 50, resolvedBy: hostile)],
        };
        rows = rows with { Summary = rows.Summary with { Title = hostile, SurfaceName = hostile } };

        var lines = IncidentMarkdown.Of(Incident.Of(rows, null), Console).Split('\n');

        Assert.Equal(["# P2", "## Figures", "## Timeline"], lines.Where(line => line.StartsWith('#')).Select(line => line.Split(" x ")[0]));
        Assert.DoesNotContain(
            lines,
            line => line.Contains("<b>", StringComparison.Ordinal) || line.Contains("[a]", StringComparison.Ordinal)
        );
        Assert.Contains($"- Incident: [{alert.AlertKey}\\-42](<{Console}/console/incidents/{alert.AlertKey}-42>)", lines);
        Assert.Contains("| Recovered | 30 s |", lines);
    }

    [Fact]
    public void A_link_that_is_not_http_is_text()
    {
        var rows = Rows.Of(Rows.Alert()) with { Tickets = [Rows.Ticket()], TicketUrl = _ => "javascript:alert(1)" };

        Assert.DoesNotContain("javascript", IncidentMarkdown.Of(Incident.Of(rows, null), Console), StringComparison.Ordinal);
    }

    [Fact]
    public void The_summary_for_a_note_has_times_and_figures_and_fits_a_note()
    {
        var alert = Rows.Alert(ended: 630);
        var rows = Rows.Of(alert) with { ReadingsBefore = Rows.DownAfterTwo, Tickets = [Rows.Ticket()] };

        Assert.Equal(
            $"""
            Payments is down, P2. Began 2026-03-01 02:00:00 UTC, recovered 2026-03-01 02:10:30 UTC.
            Detected after 30 s, Ticket after 32 s, Recovered after 10 min.
            Timeline: {Console}/console/incidents/{alert.AlertKey}-42
            """,
            IncidentNote.Of(Incident.Of(rows, null), Console)
        );
        var longest = rows with { Summary = rows.Summary with { Title = new string('x', 5000) } };
        Assert.InRange(IncidentNote.Of(Incident.Of(longest, null), Console).Length, 1, 600);
    }

    [GeneratedRegex(@"(?<!\\)[`*_{}\[\]()#!|~:@$^+=<>-]|&(?!(lt|gt|amp);)")]
    private static partial Regex Unescaped();

    [GeneratedRegex(@"\\([\\`*_{}\[\]()#!|~:@$^\-+=""'])")]
    private static partial Regex Escape();
}
