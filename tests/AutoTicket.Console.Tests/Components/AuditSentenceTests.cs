using System.Text.RegularExpressions;
using AutoTicket.Audit;
using AutoTicket.Components.Audit;
using Bunit;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Components;

public sealed partial class AuditSentenceTests : ComponentTest
{
    private const string Surface = """ "alert_key":"0123456789abcdef","surface":"pay","severity":"p2" """;
    private const string Alert = """ "alert_key":"0123456789abcdef","surface":null,"severity":"p1" """;
    private const string Ticket = """ "conversation_id":9,"ticket_number":7,"url":"https://desk.example.org/9" """;
    private const string Window = """ "starts_at":"2026-03-01T02:00:00+00:00","ends_at":"2026-03-01T04:30:00Z" """;

    public AuditSentenceTests() => Services.AddSingleton(TimeProvider.System);

    // Now is 2026-03-01 03:00 UTC.
    public static readonly TheoryData<string, string, string, string> Cases = new()
    {
        {
            AuditActions.AlertOpened,
            "console",
            $$"""{{{Surface}},"name":"surface_outage"}""",
            "The console found surface pay down or degraded (P2)"
        },
        {
            AuditActions.AlertOpened,
            "prometheus",
            $$"""{{{Alert}},"name":"backup_{failed}"}""",
            "prometheus reported P1 alert backup_{failed}"
        },
        { AuditActions.AlertOpened, "prometheus", $$"""{{{Surface}},"name":"slow"}""", "prometheus reported P2 alert slow on surface pay" },
        {
            AuditActions.AlertTicketFiled,
            "alert:console",
            $$"""{{{Surface}},{{Ticket}},"adopted":false}""",
            "The console filed ticket #7 for surface pay (P2)"
        },
        {
            AuditActions.AlertTicketFiled,
            "alert:prometheus",
            $$"""{{{Alert}},{{Ticket}},"adopted":true}""",
            "The console filed ticket #7 for alert 0123456789abcdef (P1) from prometheus;"
                + " FreeScout's response was lost, and a look-up found the ticket"
        },
        {
            AuditActions.InvestigateFiled,
            "mara",
            $$"""{{{Surface}},{{Ticket}},"adopted":false}""",
            "mara filed ticket #7 for surface pay (P2)"
        },
        {
            AuditActions.InvestigateReused,
            "user:ada (f3c1)",
            $$"""{{{Surface}},{{Ticket}}}""",
            "ada investigated surface pay: ticket #7 was open already"
        },
        {
            AuditActions.ParkedRetried,
            "mara",
            """{"intake":"grafana","reason":"No title."}""",
            "mara retried an alert from grafana that could not be read: No title."
        },
        {
            AuditActions.ParkedDiscarded,
            "mara",
            """{"intake":"grafana","reason":"No title."}""",
            "mara discarded an alert from grafana that could not be read: No title."
        },
        {
            AuditActions.FloodTripped,
            "breaker",
            """{"scope":"","filed":20,"until":"2026-03-01T03:05:00Z"}""",
            "The flood breaker paused tickets for alerts until 2026-03-01 03:05:00 UTC: 20 were filed"
        },
        {
            AuditActions.FloodTripped,
            "breaker",
            """{"scope":"grafana","filed":20,"until":"2026-03-01T03:05:00Z"}""",
            "The flood breaker paused tickets for alerts from grafana until 2026-03-01 03:05:00 UTC: 20 were filed"
        },
        { AuditActions.FloodReset, "mara", """{"scope":"","reason":"fixed","overridden":false}""", "mara reset the flood breaker: fixed" },
        {
            AuditActions.FloodReset,
            "mara",
            """{"scope":"grafana","reason":"fixed","overridden":true}""",
            "mara reset the flood breaker of grafana although a sender changes its alert ids: fixed"
        },
        {
            AuditActions.AlertSnoozed,
            "mara",
            $$"""{{{Alert}},"ends_at":"2026-03-01T04:30:00Z","until_recovery":false,"reason":"known"}""",
            "mara snoozed alert 0123456789abcdef until 2026-03-01 04:30:00 UTC: known"
        },
        {
            AuditActions.AlertSnoozed,
            "mara",
            $$"""{{{Alert}},"ends_at":"2026-03-01T04:30:00Z","until_recovery":true,"reason":"known"}""",
            "mara snoozed alert 0123456789abcdef until it recovers, at most until 2026-03-01 04:30:00 UTC: known"
        },
        { AuditActions.AlertUnsnoozed, "mara", $$"""{{{Alert}}}""", "mara ended the snooze of alert 0123456789abcdef" },
        {
            AuditActions.MaintenanceStarted,
            "mara",
            $$"""{{{Surface}},{{Window}},"reason":"new disks"}""",
            "mara started maintenance of surface pay until 2026-03-01 04:30:00 UTC: new disks"
        },
        {
            AuditActions.MaintenanceScheduled,
            "mara",
            $$"""{{{Surface}},{{Window}},"reason":"new disks","weekly_days":null}""",
            "mara planned maintenance of surface pay from 2026-03-01 02:00:00 UTC to 2026-03-01 04:30:00 UTC: new disks"
        },
        {
            AuditActions.MaintenanceScheduled,
            "mara",
            $$"""{{{Surface}},"weekly_days":"SA,SU","weekly_at":"02:00","time_zone":"Europe/Berlin","reason":"backup"}""",
            "mara planned maintenance of surface pay every SA,SU at 02:00 (Europe/Berlin): backup"
        },
        {
            AuditActions.MaintenanceRecorded,
            "mara",
            $$"""{{{Surface}},{{Window}},"reason":"new disks"}""",
            "mara recorded a past maintenance of surface pay from 2026-03-01 02:00:00 UTC to 2026-03-01 04:30:00 UTC: new disks"
        },
        { AuditActions.MaintenanceEnded, "mara", $$"""{{{Surface}},{{Window}}}""", "mara ended maintenance of surface pay" },
        { AuditActions.MaintenanceCanceled, "mara", $$"""{{{Surface}},{{Window}}}""", "mara canceled planned maintenance of surface pay" },
        { AuditActions.TicketResolving, "mara", $$"""{{{Ticket}}}""", "mara began to resolve ticket #7" },
        { AuditActions.TicketResolved, "mara", $$"""{{{Ticket}}}""", "mara resolved ticket #7" },
        { AuditActions.TicketNotResolved, "mara", $$"""{{{Ticket}}}""", "mara tried to resolve ticket #7, but it was not resolved" },
        { AuditActions.TicketTaking, "mara", $$"""{{{Ticket}},"from":null,"to":"Mara M."}""", "mara began to assign ticket #7 to Mara M." },
        { AuditActions.TicketTaken, "mara", $$"""{{{Ticket}},"from":null,"to":"Mara M."}""", "mara assigned ticket #7 to Mara M." },
        {
            AuditActions.TicketTaken,
            "mara",
            $$"""{{{Ticket}},"from":"Ben B.","to":"Mara M."}""",
            "mara assigned ticket #7 to Mara M., who took it over from Ben B."
        },
        {
            AuditActions.TicketReconciled,
            "console:reconciler",
            $$"""{{{Surface}},{{Ticket}},"repair":"tags","details":{} }""",
            "The console put missing tags of ticket #7 back"
        },
        {
            AuditActions.TicketReconciled,
            "console:reconciler",
            $$"""{{{Surface}},{{Ticket}},"repair":"adopted","details":{} }""",
            "The console adopted ticket #7 for surface pay, which the console did not know"
        },
        {
            AuditActions.TicketReconciled,
            "mara",
            $$"""{{{Surface}},{{Ticket}},"adopted":true}""",
            "mara filed ticket #7 for surface pay; the console found it in FreeScout again"
        },
        {
            AuditActions.FindingDismissed,
            "mara",
            $$"""{{{Ticket}},"finding":"moved","detail":"In Sales.","reason":"on purpose"}""",
            "mara dismissed the difference “moved” of ticket #7: on purpose"
        },
        {
            AuditActions.FindingDismissed,
            "mara",
            """{"finding":"unconfirmed","conversation_id":null,"detail":"[P2] pay is down","reason":"looked"}""",
            "mara dismissed the filing “[P2] pay is down”, which created no ticket: looked"
        },
        { AuditActions.FlagChanged, "mara", Flag("true", "false"), "mara switched “Automatic tickets for alerts” off: too many" },
        {
            AuditActions.FlagChanged,
            "mara",
            Flag("true", "false", "2026-03-01T04:00:00Z", "true"),
            "mara switched “Automatic tickets for alerts” off for 1 h 0 min: too many"
        },
        {
            AuditActions.FlagChanged,
            "mara",
            Flag("true", "true", "2026-03-01T04:00:00Z", "false"),
            "mara planned to switch “Automatic tickets for alerts” off at 2026-03-01 04:00:00 UTC: too many"
        },
        { AuditActions.FlagChanged, "mara", Flag("true", "true"), "mara left “Automatic tickets for alerts” on: too many" },
        { AuditActions.TestDmSent, "mara", """{"hook":"slack"}""", "mara asked for a test DM" },
        { AuditActions.TestTicketFiled, "mara", $$"""{{{Ticket}}}""", "mara filed test ticket #7" },
        { AuditActions.SignedIn, "mara", """{"role":"operator"}""", "mara signed in as operator" },
        { AuditActions.SignedOut, "mara", """{"why":"signed out everywhere"}""", "mara signed out everywhere" },
        { AuditActions.SignedOut, "mara", """{"why":"expired"}""", "mara was signed out: expired" },
        {
            AuditActions.Denied,
            "password",
            """{"why":"wrong password","address":"192.0.2.1","locked_out":true}""",
            "A sign-in from 192.0.2.1 was denied: wrong password; its next tries are locked out"
        },
        {
            AuditActions.Denied,
            "token:unknown",
            """{"why":"wrong token","tries":3,"address":"192.0.2.1","tried":"/api/alerts"}""",
            "3 requests from 192.0.2.1 with a wrong token: /api/alerts"
        },
        {
            AuditActions.Denied,
            "user:ada (f3c1)",
            """{"why":"no role","claim":"groups","tries":1}""",
            "ada was denied the sign-in: no role"
        },
        {
            AuditActions.Denied,
            "mara",
            """{"tried":"investigate pay","takes":"operator","role":"viewer","tries":1}""",
            "mara (viewer) was denied “investigate pay”: needs the operator role"
        },
    };

    [Theory, MemberData(nameof(Cases))]
    public void An_entry_reads_as_a_sentence(string action, string actor, string payload, string sentence) =>
        Assert.Equal(sentence, Sentence(action, actor, payload));

    [Fact]
    public void Every_action_has_a_sentence() =>
        Assert.Equal(AuditActions.All.Order(), Cases.Select(row => (string)row[0]).Distinct().Order());

    [Theory]
    [InlineData(AuditActions.FlagChanged, "{}")]
    [InlineData(AuditActions.TicketResolved, "not json")]
    [InlineData("console.old.action", "{}")]
    public void An_entry_without_the_values_of_its_sentence_is_said_by_its_action(string action, string payload) =>
        Assert.Equal($"mara: {action}", Sentence(action, "mara", payload));

    [Fact]
    public void A_sentence_links_its_ticket_surface_and_alert()
    {
        var odd = Table(AuditActions.AlertOpened, "prometheus", """{"surface":"Payments EU","name":"slow","severity":"p2"}""");
        Assert.Empty(odd.FindAll("a[href^='/console/status']"));
        var table = Table(AuditActions.InvestigateFiled, "mara", $$"""{{{Surface}},{{Ticket}}}""");

        Assert.Equal(
            ["https://desk.example.org/9", "/console/status/pay"],
            table.FindAll(".sentence a").Select(link => link.GetAttribute("href"))
        );
        Assert.Equal(
            "/console/alerts/0123456789abcdef",
            Table(AuditActions.AlertUnsnoozed, "mara", $$"""{{{Alert}}}""").Find(".sentence a").GetAttribute("href")
        );
        Assert.Empty(
            Table(AuditActions.TestTicketFiled, "mara", """{"ticket_number":7,"url":"javascript:alert(1)"}""").FindAll(".sentence a")
        );
    }

    private static string Flag(string before, string after, string? at = null, string? to = null) =>
        $$"""
            {"flag":"FLAG_CONSOLE_ALERTS_AUTO_TICKET","before":{{before}},"after":{{after}},"reason":"too many","environment":null,
            "scheduled_for":{{(at is null ? "null" : $"\"{at}\"")}},"scheduled_to":{{to ?? "null"}}}
            """;

    private string Sentence(string action, string actor, string payload) =>
        Spaces().Replace(Table(action, actor, payload).Find(".sentence").TextContent.Trim(), " ");

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    private IRenderedComponent<AuditTable> Table(string action, string actor, string payload) =>
        Render<AuditTable>(parameters =>
            parameters
                .Add(
                    t => t.Rows,
                    [
                        new AuditEntry
                        {
                            Id = 1,
                            CreatedAt = Now,
                            Action = action,
                            Actor = actor,
                            Payload = payload,
                        },
                    ]
                )
                .Add(t => t.Filter, new AuditFilter())
        );
}
