using AutoTicket.Diagnostics;

namespace AutoTicket.Tests.Diagnostics;

public sealed class VerdictTests
{
    private static readonly Finding Sent = Finding.Ok("The last one was sent.", DateTimeOffset.UnixEpoch);
    private static readonly Finding Late = new(DiagnosticState.NotKnown, "No answer within 1.5 s.");

    [Fact]
    public void A_line_whose_check_had_no_result_is_not_called_ready()
    {
        var noKey = Finding.Failed("The key was rejected.", "", "", Stops.Tickets);
        var noSlack = Finding.Failed("Slack fails.", "", "", Stops.Messages);

        Assert.Equal("DMs are being sent, tickets are not: The key was rejected.", Of(("key_valid", noKey), ("last_dm", Sent)));
        Assert.Equal(
            "It is not known whether DMs are being sent; tickets are not: The key was rejected.",
            Of(("key_valid", noKey), ("last_dm", Late))
        );
        Assert.Equal("Tickets are being sent, DMs are not: Slack fails.", Of(("last_dm", noSlack), ("last_ticket", Sent)));
        Assert.Equal(
            "It is not known whether tickets are being sent; DMs are not: Slack fails.",
            Of(("last_dm", noSlack), ("last_ticket", Late))
        );
    }

    private static string Of(params (string Key, Finding Finding)[] found) => Verdict.Of(found);
}
