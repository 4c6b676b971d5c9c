using AutoTicket.FreeScout;
using AutoTicket.Mailbox;

namespace AutoTicket.Tests.Tickets;

public sealed class InvestigationForecastTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 24, 3, 0, 0, TimeSpan.Zero);

    [Theory, Trait("Pitfall", "T-31")]
    [InlineData(null, null, false, "File a ticket")]
    [InlineData(null, "ServerError", false, "File a ticket (FreeScout is down)")]
    [InlineData(null, "KeyRejected", false, "File a ticket (FreeScout rejects calls)")]
    [InlineData(null, "ServerError", true, "Look up the ticket (response was lost; FreeScout is down)")]
    [InlineData(41, null, false, "Open ticket #1432 (41 min)")]
    [InlineData(41, "ServerError", false, "Open ticket #1432 (41 min; FreeScout is down)")]
    [InlineData(41, "MailboxMissing", false, "Open ticket #1432 (41 min; FreeScout rejects calls)")]
    [InlineData(61, "TimedOut", false, "File a ticket, linked to #1432 (61 min; FreeScout is down)")]
    [InlineData(41, null, true, "Look up the ticket (response was lost)")]
    [InlineData(61, null, true, "Look up the ticket (response was lost)")]
    [InlineData(41, "NotConfigured", false, "Filing is not set up")]
    public void A_failure_of_FreeScout_hides_no_known_ticket_and_promises_nothing(int? age, string? failure, bool isLost, string text)
    {
        var ticket = age is { } minutes ? new OpenTicket(7, 1432, "", "", "active", [], "mail", Now.AddMinutes(-minutes), "olga") : null;

        Assert.Equal(
            text,
            InvestigationForecasts
                .Forecast(
                    new(ticket, isLost),
                    failure is null ? null : new FreeScoutFailure(Enum.Parse<FreeScoutFailureKind>(failure), "It failed.", WasSent: true),
                    TimeSpan.FromHours(1),
                    Now
                )
                .Text
        );
    }
}
