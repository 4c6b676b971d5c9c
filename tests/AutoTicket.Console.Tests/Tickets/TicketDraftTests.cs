using System.Text;
using System.Text.RegularExpressions;
using AutoTicket.Audit;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket.Tests.Tickets;

public sealed class TicketDraftTests
{
    private const string Marker = "at-0123456789";
    private const int FreeScoutsLimit = 998;

    [Fact]
    [Trait("Pitfall", "T-56")]
    public void Everything_from_outside_is_escaped()
    {
        const string evil = "<script>alert(1)</script> & \"quoted\" <img src=x onerror='x'>";
        var older = new TicketLink(7, 7, "https://tickets.example/conversation/7?a=1&b=\"><script>", default);

        var html = (Draft(evil, (evil, evil)) with { DedupKey = new string('a', 64) }).Write(Marker, older).Html;

        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("<img", html, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quoted&quot;", html, StringComparison.Ordinal);
        Assert.Contains(
            "href=\"https://tickets.example/conversation/7?a=1&amp;b=&quot;&gt;&lt;script&gt;\"",
            html,
            StringComparison.Ordinal
        );
    }

    [Fact]
    [Trait("Pitfall", "T-56")]
    public void A_subject_is_plain_text_on_one_line() =>
        Assert.Equal($"<b>Pay</b> is  down \u20ac [{Marker}]", Draft("<b>Pay</b>\tis\r\ndown \u20ac\0").Write(Marker, null).Subject);

    [Theory]
    [Trait("Pitfall", "T-39b")]
    [InlineData("x")]
    [InlineData("\ud83d\ude80")]
    [InlineData("\ud83d\udc69\u200d\ud83d\udcbb")]
    [InlineData("e\u0301\u0323")]
    [InlineData("\ud83c\udde9\ud83c\uddea")]
    public void A_hundred_kilobytes_of_title_are_cut_between_characters_and_the_marker_stays(string character)
    {
        for (var shift = 0; shift < 8; shift++)
        {
            var subject = Draft(new string('.', shift) + string.Concat(Enumerable.Repeat(character, 100_000 / character.Length)))
                .Write(Marker, null)
                .Subject;

            Assert.EndsWith($"\u2026 [{Marker}]", subject, StringComparison.Ordinal);
            Assert.InRange(subject.Length, 100, FreeScoutsLimit);
            var cut = subject[shift..^($"\u2026 [{Marker}]".Length)];
            Assert.Equal(string.Concat(Enumerable.Repeat(character, cut.Length / character.Length)), cut);
        }
    }

    [Theory]
    [Trait("Pitfall", "T-39b")]
    [InlineData("\ud83d\ude80\ud83d half a pair")]
    [InlineData("\ude80 the other half")]
    [InlineData("nothing\0at\u0007all\u001b[31m")]
    public void Characters_that_no_database_accepts_are_removed_from_subject_and_body(string text)
    {
        var draft = Draft(text, ("Fact", text));
        var written = draft.Write(Marker, null);

        foreach (var part in (string[])[draft.Subject, written.Subject, written.Html])
        {
            Assert.DoesNotContain(part, char.IsControl);
            _ = new UTF8Encoding(false, throwOnInvalidBytes: true).GetBytes(part);
        }
    }

    [Fact]
    [Trait("Pitfall", "T-39b")]
    public void A_long_text_goes_into_the_body_whole_with_its_line_breaks()
    {
        var text = string.Concat(Enumerable.Repeat("line \ud83d\ude80\r\n", 12_000));

        var html = Draft("Pay is down", ("Log", text)).Write(Marker, null).Html;

        Assert.Equal(12_000, html.Split("line ").Length - 1);
        Assert.Equal(12_000, html.Split("<br>").Length - 1);
        Assert.Contains($"<code>{Marker}</code>", html, StringComparison.Ordinal);
    }

    [Fact]
    public void The_body_is_a_sentence_then_links_then_a_table_and_the_keys_come_last()
    {
        var draft = Draft("[P1] Pay is down", ("Surface", "Pay (pay)"), ("Last checks", "503\n503")) with
        {
            FirstLine = "Pay is down since 2026-11-28 03:14:00 UTC: HTTP 503",
            Links = [("Surface in AutoTicket Console", "https://console.example/console/status/pay"), ("Source", "javascript:alert(1)")],
        };

        var html = draft.Write(Marker, new TicketLink(7, 12, "https://tickets.example/conversation/7", default)).Html;

        string[] parts =
        [
            "<p><b>Pay is down since",
            "/console/status/pay\">",
            "Earlier ticket <a href=",
            ">#12</a>",
            "<table>",
            "Last checks",
            "</table>",
            "never closes it by itself",
            Marker,
            draft.DedupKey,
        ];
        Assert.Equal(
            parts.Order(
                Comparer<string>.Create((a, b) => html.IndexOf(a, StringComparison.Ordinal) - html.IndexOf(b, StringComparison.Ordinal))
            ),
            parts
        );
        Assert.All(parts, part => Assert.Contains(part, html, StringComparison.Ordinal));
        Assert.DoesNotContain("href=\"javascript", html, StringComparison.Ordinal);
        // FreeScout's list shows the text without tags, so words must stay separated.
        var preview = Regex.Replace(html, "<[^>]*>", "");
        Assert.StartsWith("Pay is down since 2026-11-28 03:14:00 UTC: HTTP 503 Surface in", preview, StringComparison.Ordinal);
        Assert.Contains("Surface Pay (pay) Last checks 503", preview, StringComparison.Ordinal);
        // FreeScout's HTML purifier keeps only these elements.
        Assert.Subset(
            new HashSet<string> { "p", "b", "a", "table", "tr", "td", "br", "code" },
            Regex.Matches(html, "<([a-z]+)").Select(tag => tag.Groups[1].Value).ToHashSet()
        );
        Assert.Subset(
            new HashSet<string> { "href", "valign", "style" },
            Regex.Matches(html, " ([a-z]+)=\"").Select(attribute => attribute.Groups[1].Value).ToHashSet()
        );
        Assert.Empty(Regex.Matches(html, "style=\"(?!padding:)"));
    }

    /// <summary>The query is left out, because it may hold a secret.</summary>
    [Fact]
    public void A_surfaces_address_is_shown_without_its_query()
    {
        var surface = new Surface
        {
            Key = "pay",
            Name = "Pay",
            Url = new Uri("https://pay.example/health?token=secret#top"),
        };
        var snapshot = new SurfaceSnapshot(surface, SurfaceStatus.Down, null, null, null, null, null, [], false, Availability.Unknown);
        var facts = TicketDraft.FactsOf(snapshot);

        Assert.Equal([("Surface", "Pay (pay)"), ("Address", "https://pay.example/health"), ("Last checks", "none yet")], facts);
    }

    [Theory]
    [InlineData("[P2] Pay is down", "[P1] Pay is down")]
    [InlineData("Pay is down", "Pay is down")]
    [InlineData("[P9] Pay", "[P9] Pay")]
    public void A_subject_with_a_severity_gets_the_new_one(string subject, string expected) =>
        Assert.Equal(expected, TicketDraft.WithSeverity(subject, Severity.P1));

    [Theory, BothDatabases]
    [Trait("Pitfall", "T-39b")]
    public async Task A_hostile_title_is_filed(Database kind)
    {
        await using var driver = await InvestigateDriver.StartAsync(kind, surfaces: []);
        var text = "\0\ud83d" + string.Concat(Enumerable.Repeat("\ud83d\ude80<b>\n", 20_000));

        var outcome = await driver.Console.Get<TicketingService>().FileAsync(Draft(text, ("Fact", text)));

        Assert.Equal(TicketDisposition.Filed, outcome.Disposition);
        var row = Assert.Single(await driver.RowsAsync());
        Assert.StartsWith(row.Subject, driver.FreeScout.Find(outcome.Ticket!.Id)!.Subject, StringComparison.Ordinal);
        Assert.EndsWith($" [{row.Marker}]", driver.FreeScout.Find(outcome.Ticket.Id)!.Subject, StringComparison.Ordinal);
    }

    private static TicketDraft Draft(string title, params (string, string)[] facts) =>
        new(new string('d', 64), null, Severity.P1, "auto:alert", AuditActions.AlertTicketFiled, "console:alerts", title, facts);
}
