using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Incidents;
using AutoTicket.Mailbox;
using AutoTicket.Surfaces;

namespace AutoTicket.Tests.Incidents;

/// <summary>From rows to entries and figures, without a database.</summary>
public sealed class IncidentTimelineTests
{
    /// <summary>A whole story: each entry once, in order, and the figures from the first bad reading.</summary>
    [Fact]
    public void A_whole_incident_has_each_entry_once_and_in_order()
    {
        var rows = Rows.Of(Rows.Alert(ended: 600)) with
        {
            ReadingsBefore = Rows.DownAfterTwo,
            Decisions =
            [
                Rows.Decision(DecisionSources.Ticket, DecisionWord.Degraded("timed_out"), 31, last: 35, count: 3),
                Rows.Decision(DecisionSources.Ticket, DecisionWord.Filed, 40, conversation: 7),
                Rows.Decision(DecisionSources.Slack, DecisionWord.Sent, 33, last: 601, count: 2),
                Rows.Decision(DecisionSources.Ticket, DecisionWord.EndNoted, 602),
            ],
            Deliveries =
            [
                new()
                {
                    AlertRow = 42,
                    Hook = DecisionSources.Slack,
                    Kind = DeliveryKind.Ended,
                    At = Rows.At(601.2),
                    Severity = Severity.P2,
                },
            ],
            Tickets = [Rows.Ticket(posted: 38, confirmed: 39, closed: 900, resolvedBy: "mara")],
            Audit =
            [
                Rows.Audit(AuditActions.AlertOpened, 30, new { severity = "p2" }),
                Rows.Audit(AuditActions.AlertTicketFiled, 39, new { conversation_id = 7, adopted = false }),
                Rows.Audit(AuditActions.TicketResolved, 900, new { conversation_id = 7 }, "mara"),
            ],
            FlagsNow = new Dictionary<string, bool> { [FlagNames.AlertsAutoTicket] = true },
        };
        var activity = Rows.Activity(
            Rows.Thread(ThreadKind.Customer, 39, by: null, user: null),
            Rows.Thread(ThreadKind.Assigned, 120, assignedTo: "Ada Admin"),
            Rows.Thread(ThreadKind.Reply, 180),
            Rows.Thread(ThreadKind.Note, 602, by: "Olga Operator", user: Rows.ConsoleUser),
            // The console closes in the name of its own agent, a second before it records that.
            Rows.Thread(ThreadKind.StatusChanged, 899, by: "Olga Operator", user: Rows.ConsoleUser, status: "closed")
        );

        Assert.Equal(
            [
                "0 FirstBadReading: First bad reading",
                "30 Confirmed: Confirmed down",
                "30 Opened: Alert opened, P2",
                "30 Flags: Flags in force",
                "31 Decision: No ticket: degraded: timed_out (3×)",
                "33 DmSent: DM sent",
                "38 TicketClaimed: Ticket claimed",
                "39 TicketFiled: Ticket #1007 filed",
                "120 Assigned: Assigned to Ada Admin by Ada Admin *",
                "180 Replied: Reply by Ada Admin",
                "600 Recovered: Recovered",
                "601 DmSent: DM about the end sent",
                "602 Note: End noted on the ticket",
                "899 TicketResolved: Ticket #1007 resolved by mara",
            ],
            Rows.Lines(rows, activity)
        );
        Assert.Equal(
            ["detect 30 s", "notify 33 s", "ticket 39 s", "person 2 min", "recover 10 min", "resolve 14 min"],
            Rows.Figures(rows, activity)
        );
        // Without FreeScout's answer, the row still tells of the end.
        Assert.Contains("900 TicketResolved: Ticket #1007 resolved by mara *", Rows.Lines(rows));
    }

    [Fact]
    public void What_did_not_happen_yet_is_told_apart_from_what_is_not_known()
    {
        Assert.Equal(
            ["detect –", "notify not yet", "ticket not yet", "person not yet", "recover not yet", "resolve not yet"],
            Rows.Figures(Rows.Of(Rows.Alert()))
        );
        Assert.Equal(
            ["detect –", "notify –", "ticket –", "person –", "recover –", "resolve –"],
            Rows.Figures(Rows.Of(Rows.Alert(ended: 90, status: AlertStatus.Expired)))
        );
        // An alert below the threshold gets neither a DM nor a ticket.
        var below = Rows.Of(Rows.Alert()) with
        {
            Decisions = [Rows.Decision(DecisionSources.Intake, DecisionWord.BelowSeverity, 30)],
        };
        Assert.Equal(["detect –", "notify –", "ticket –", "person not yet", "recover not yet", "resolve –"], Rows.Figures(below));
    }

    [Fact]
    public void A_ticket_that_was_open_before_is_reused_and_its_closing_counts()
    {
        var rows = Rows.Of(Rows.Alert(opened: 100, ended: 200)) with
        {
            Decisions = [Rows.Decision(DecisionSources.Ticket, DecisionWord.AlreadyOpen, 101, conversation: 7)],
            Tickets = [Rows.Ticket(posted: -5000, confirmed: -4999, closed: 400, resolvedBy: "Ada Admin")],
        };
        var activity = Rows.Activity(
            // From an earlier incident.
            Rows.Thread(ThreadKind.Reply, -4000),
            Rows.Thread(ThreadKind.StatusChanged, 399, status: "closed")
        );

        Assert.Equal(
            [
                "100 Opened: Alert opened, P2",
                "101 TicketReused: No new ticket: one is open already",
                "200 Recovered: Recovered",
                "399 TicketResolved: Ticket #1007 resolved by Ada Admin *",
            ],
            Rows.Lines(rows, activity)
        );
        Assert.Contains("resolve 4 min", Rows.Figures(rows, activity));
    }

    [Fact]
    public void A_ticket_that_is_resolved_reopened_and_resolved_again_has_three_entries()
    {
        var rows = Rows.Of(Rows.Alert(ended: 100)) with
        {
            Tickets = [Rows.Ticket(closed: 901, resolvedBy: "mara")],
            Audit =
            [
                Rows.Audit(AuditActions.TicketResolved, 301, new { conversation_id = 7 }, "ben"),
                Rows.Audit(AuditActions.TicketResolved, 901, new { conversation_id = 7 }, "mara"),
                Rows.Audit(AuditActions.TicketResolved, 902, new { conversation_id = 70 }, "another ticket"),
            ],
        };
        var activity = Rows.Activity(
            Rows.Thread(ThreadKind.StatusChanged, 300, user: Rows.ConsoleUser, status: "closed"),
            Rows.Thread(ThreadKind.StatusChanged, 360, status: "active"),
            Rows.Thread(ThreadKind.StatusChanged, 900, user: Rows.ConsoleUser, status: "closed")
        );

        Assert.Equal(
            [
                "300 TicketResolved: Ticket #1007 resolved by ben *",
                "360 TicketReopened: Ticket #1007 reopened by Ada Admin",
                "900 TicketResolved: Ticket #1007 resolved by mara",
            ],
            Rows.Lines(rows, activity).Where(line => line.Contains("#1007 re", StringComparison.Ordinal))
        );
        Assert.Contains("resolve 14 min", Rows.Figures(rows, activity));
        var open = rows with { Tickets = [Rows.Ticket(closed: 301, reopened: 360)] };
        Assert.Contains("resolve not yet", Rows.Figures(open, activity));
    }

    [Fact]
    public void A_surface_that_flaps_shows_each_time()
    {
        var rows = Rows.Of(Rows.Alert(ended: 400, reopened: 1)) with
        {
            ReadingsBefore = Rows.DownAfterTwo,
            StatusChanges =
            [
                Rows.Reading(120, ReadingOutcome.Ok, SurfaceStatus.Operational, since: 120),
                Rows.Reading(180, ReadingOutcome.Slow, SurfaceStatus.Degraded, since: 180),
                Rows.Reading(210, ReadingOutcome.Failed, SurfaceStatus.Down, since: 210),
                Rows.Reading(390, ReadingOutcome.Ok, SurfaceStatus.Operational, since: 390),
            ],
        };

        Assert.Equal(
            [
                "0 FirstBadReading: First bad reading",
                "30 Confirmed: Confirmed down",
                "30 Opened: Alert opened, P2",
                "120 Recovered: Recovered for a while",
                "180 FiredAgain: Fired again: degraded",
                "210 Confirmed: Now down",
                "400 Recovered: Recovered",
            ],
            Rows.Lines(rows)
        );
        Assert.Contains("recover 6 min", Rows.Figures(rows));
    }

    [Fact]
    public void A_bad_reading_before_a_good_one_is_not_the_first()
    {
        var rows = Rows.Of(Rows.Alert()) with
        {
            ReadingsBefore =
            [
                Rows.Reading(30, ReadingOutcome.Failed, SurfaceStatus.Down, since: 30),
                // The console was offline: this says nothing about the surface.
                Rows.Reading(15, ReadingOutcome.Blind, SurfaceStatus.Operational, since: -600),
                Rows.Reading(0, ReadingOutcome.Slow, SurfaceStatus.Operational, since: -600),
                Rows.Reading(-30, ReadingOutcome.Ok, SurfaceStatus.Operational, since: -600),
                Rows.Reading(-60, ReadingOutcome.Failed, SurfaceStatus.Operational, since: -600),
            ],
        };

        Assert.Equal("0 FirstBadReading: First bad reading", Rows.Lines(rows)[0]);
    }

    [Fact]
    public void Another_sender_names_the_beginning_and_only_the_last_new_start_is_known()
    {
        var alert = Rows.Alert(source: "prometheus", name: "disk_full", started: 5);
        Assert.Equal(["5 Began: Began, as prometheus says", "30 Opened: Alert opened, P2"], Rows.Lines(Rows.Of(alert)));
        Assert.Contains("detect 25 s", Rows.Figures(Rows.Of(alert)));

        var again = Rows.Of(alert with { Reopened = 3, StartedAt = Rows.At(500) });
        Assert.Equal(["30 Opened: Alert opened, P2", "500 FiredAgain: Fired again"], Rows.Lines(again));
        Assert.Equal("3× in all; this is the last time.", Incident.Of(again, null).Timeline[^1].Detail);
    }

    [Fact]
    public void A_click_before_the_alert_is_an_act_of_a_person()
    {
        var rows = Rows.Of(Rows.Alert()) with
        {
            ReadingsBefore = Rows.DownAfterTwo,
            Decisions =
            [
                Rows.Decision(DecisionSources.Click, DecisionWord.Filed, 25, actor: "mara", conversation: 7),
                Rows.Decision(DecisionSources.Ticket, DecisionWord.AlreadyOpen, 31, conversation: 7),
                Rows.Decision(DecisionSources.Click, DecisionWord.AlreadyOpen, 50, actor: "ben", conversation: 7),
            ],
            Tickets = [Rows.Ticket(posted: 23, confirmed: 24, filedBy: "mara")],
        };

        Assert.Equal(
            [
                "23 TicketClaimed: Ticket claimed",
                "24 TicketFiled: Ticket #1007 filed by mara *",
                "31 TicketReused: No new ticket: one is open already",
                "50 Investigated: Investigate: already open by ben",
            ],
            Rows.Lines(rows)
                .Where(line => !line.StartsWith("0 ", StringComparison.Ordinal) && !line.StartsWith("30 ", StringComparison.Ordinal))
        );
        Assert.Contains("person 24 s", Rows.Figures(rows));
    }

    [Fact]
    public void A_lost_answer_is_adopted()
    {
        var rows = Rows.Of(Rows.Alert()) with
        {
            Decisions =
            [
                Rows.Decision(DecisionSources.Ticket, DecisionWord.LookedUp, 33),
                Rows.Decision(DecisionSources.Ticket, DecisionWord.Adopted, 61, conversation: 7),
            ],
            Tickets = [Rows.Ticket(confirmed: 60)],
            Audit = [Rows.Audit(AuditActions.AlertTicketFiled, 60, new { conversation_id = 7, adopted = true })],
        };

        Assert.Equal(
            [
                "31 TicketClaimed: Ticket claimed",
                "33 Decision: No ticket: answer lost: looking it up",
                "60 TicketAdopted: Ticket #1007 adopted",
            ],
            Rows.Lines(rows).Skip(1)
        );
    }

    /// <summary>People see the ticket in FreeScout before the console does.</summary>
    [Fact]
    public void The_figures_of_an_adopted_ticket_begin_with_its_posting_and_the_click()
    {
        var rows = Rows.Of(Rows.Alert()) with
        {
            ReadingsBefore = Rows.DownAfterTwo,
            Tickets = [Rows.Ticket(posted: 40, confirmed: 300, closed: 900, filedBy: "mara")],
            Audit = [Rows.Audit(AuditActions.InvestigateFiled, 300, new { conversation_id = 7, adopted = true }, "mara")],
        };

        Assert.Equal(
            ["40 TicketClaimed: Ticket claimed by mara *", "100 Replied: Reply by Ada Admin", "300 TicketAdopted: Ticket #1007 adopted"],
            Rows.Lines(rows, Rows.Activity(Rows.Thread(ThreadKind.Reply, 100))).Skip(3).SkipLast(1)
        );
        Assert.Equal(
            ["detect 30 s", "notify not yet", "ticket 40 s", "person 40 s", "recover not yet", "resolve 15 min"],
            Rows.Figures(rows)
        );

        var byAlert = rows with { Tickets = [Rows.Ticket(posted: 40, confirmed: 300)] };
        Assert.Contains("person 1 min", Rows.Figures(byAlert, Rows.Activity(Rows.Thread(ThreadKind.Reply, 100))));
    }

    [Theory]
    [InlineData("Ada Admin", AuditActions.TicketReconciled, "person 50 s")]
    [InlineData("FreeScout", AuditActions.TicketReconciled, "person not yet")]
    // Its row was lost, and another row with its marker says who filed it.
    [InlineData("alert:console", AuditActions.AlertTicketFiled, "person not yet")]
    public void A_ticket_that_the_console_did_not_know_counts_from_its_creation(string filedBy, string action, string person)
    {
        var rows = Rows.Of(Rows.Alert()) with
        {
            ReadingsBefore = Rows.DownAfterTwo,
            Tickets = [Rows.Ticket(posted: 50, confirmed: 301, filedBy: filedBy) with { AuditAction = action }],
            // The repair is recorded a moment before the row.
            Audit = [Rows.Audit(AuditActions.TicketReconciled, 300.9, new { repair = "adopted", conversation_id = 7 }, "console")],
        };

        Assert.Equal(
            ["50 TicketClaimed: Ticket #1007 created in FreeScout", "301 TicketAdopted: Ticket #1007 adopted"],
            Rows.Lines(rows).Skip(3).Select(line => line.Split(" by ")[0])
        );
        Assert.Contains("ticket 50 s", Rows.Figures(rows));
        Assert.Contains(person, Rows.Figures(rows));
    }

    [Fact]
    public void Flags_in_force_come_from_the_change_before_or_after_the_opening()
    {
        var flips = new[]
        {
            Flip(FlagNames.InvestigateFromStatus, -500, false, true),
            // Scheduling changes nothing.
            Flip(FlagNames.InvestigateFromStatus, 40, true, true),
            Flip(FlagNames.AlertsAutoTicket, 60, true, false),
        };
        var rows = Rows.Of(Rows.Alert()) with
        {
            FlagChanges = flips,
            FlagsNow = new Dictionary<string, bool> { [FlagNames.AlertsAutoTicket] = false, [FlagNames.InvestigateFromStatus] = false },
        };

        var timeline = Incident.Of(rows, null).Timeline;
        Assert.Equal(
            $"{FlagNames.AlertsAutoTicket} on, {FlagNames.InvestigateFromStatus} on",
            Assert.Single(timeline, entry => entry.Kind == IncidentEntryKind.Flags).Detail
        );
        var flip = Assert.Single(timeline, entry => entry.Kind == IncidentEntryKind.FlagChanged);
        Assert.Equal(
            ($"{FlagNames.AlertsAutoTicket} switched off", "too many", "mara", false),
            (flip.Text, flip.Detail, flip.By, flip.IsAcknowledgment)
        );

        static AuditEntry Flip(string flag, double at, bool before, bool after) =>
            Rows.Audit(
                AuditActions.FlagChanged,
                at,
                new
                {
                    flag,
                    before,
                    after,
                    reason = "too many",
                },
                "mara"
            );
    }

    [Fact]
    public void People_of_the_next_incident_and_the_consoles_own_notes_are_left_out()
    {
        var rows = Rows.Of(Rows.Alert(ended: 100)) with
        {
            Tickets = [Rows.Ticket()],
            NextOpenedAt = Rows.At(1000),
            Findings =
            [
                new()
                {
                    ConversationId = 7,
                    Kind = FindingKind.TagsGone,
                    Number = 1007,
                    Subject = "x",
                    Detail = "A tag was removed.",
                    FirstSeenAt = Rows.At(200),
                    SeenAt = Rows.At(200),
                    IsOpen = true,
                },
            ],
        };
        var activity = Rows.Activity(
            Rows.Thread(ThreadKind.Note, 50, user: Rows.ConsoleUser, by: "Olga Operator"),
            Rows.Thread(ThreadKind.Customer, 60, user: null, by: null),
            Rows.Thread(ThreadKind.Note, 70),
            Rows.Thread(ThreadKind.Assigned, 80, user: Rows.ConsoleUser, by: "Olga Operator", assignedTo: "Sam Support"),
            Rows.Thread(ThreadKind.Reply, 1001)
        );

        Assert.Equal(
            [
                "70 NoteByPerson: Note by Ada Admin *",
                "80 Assigned: Assigned to Sam Support by Sam Support",
                "100 Recovered: Recovered",
                "200 Finding: Difference between the console and FreeScout",
            ],
            Rows.Lines(rows, activity).Skip(3)
        );
    }

    [Fact]
    public void A_reply_in_the_second_of_the_filing_comes_after_it()
    {
        var rows = Rows.Of(Rows.Alert()) with { Tickets = [Rows.Ticket(posted: 31.25, confirmed: 31.5)] };

        Assert.Equal("31.5 Replied: Reply by Ada Admin *", Rows.Lines(rows, Rows.Activity(Rows.Thread(ThreadKind.Reply, 31)))[^1]);
    }

    [Fact]
    public void A_long_timeline_is_cut_in_the_middle()
    {
        var rows = Rows.Of(Rows.Alert()) with { Tickets = [Rows.Ticket()] };
        var replies = Enumerable.Range(0, 2 * IncidentTimeline.Most).Select(i => Rows.Thread(ThreadKind.Reply, 100 + i)).ToArray();

        var lines = Rows.Lines(rows, Rows.Activity(replies));

        Assert.Equal(IncidentTimeline.Most, lines.Count);
        Assert.Equal("30 Opened: Alert opened, P2", lines[0]);
        Assert.StartsWith($"{99 + replies.Length} Replied", lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Of_maintenance_and_snoozes_set_before_only_what_reaches_into_the_incident_is_shown()
    {
        var key = Rows.Alert().AlertKey;
        var rows = Rows.Of(Rows.Alert(ended: 600)) with
        {
            Audit =
            [
                Once(AuditActions.MaintenanceStarted, -3600, 1),
                Weekly(AuditActions.MaintenanceScheduled, -3500, 2),
                Weekly(AuditActions.MaintenanceScheduled, -3400, 3, ends: -1000, minutes: 10),
                // Its last maintenance began at most at -1000.
                Weekly(AuditActions.MaintenanceScheduled, -3300, 4, ends: -1000, minutes: 60),
                Weekly(AuditActions.MaintenanceScheduled, -3200, 5),
                Snooze(AuditActions.AlertSnoozed, -3100),
                Once(AuditActions.MaintenanceStarted, -3000, 6),
                Once(AuditActions.MaintenanceEnded, -1800, 1),
                Weekly(AuditActions.MaintenanceCanceled, -1700, 2),
                Snooze(AuditActions.AlertUnsnoozed, -1600),
                // The alert had to fire then, so this ended with an earlier incident.
                Snooze(AuditActions.AlertSnoozed, -1500, untilRecovery: true),
                Snooze(AuditActions.AlertSnoozed, -1400),
                // Only one maintenance of the series.
                Weekly(AuditActions.MaintenanceEnded, -900, 5),
                Once(AuditActions.MaintenanceEnded, 100, 6),
                Snooze(AuditActions.AlertUnsnoozed, 200),
            ],
        };

        Assert.Equal(
            [
                "-3300 Maintenance: Maintenance scheduled, weekly: sun 22:00 UTC by olga",
                "-3200 Maintenance: Maintenance scheduled, weekly: sun 22:00 UTC by olga",
                "-3000 Maintenance: Maintenance started until 2026-03-01 04:00:00 UTC by olga",
                "-1400 Maintenance: Alert snoozed until 2026-03-01 04:00:00 UTC by olga",
                "100 Maintenance: Maintenance ended by olga *",
                "200 Maintenance: Alert unsnoozed by olga",
            ],
            Rows.Lines(rows).Where(line => line.Contains(" Maintenance: ", StringComparison.Ordinal))
        );

        static AuditEntry Once(string action, double at, long window) =>
            Rows.Audit(
                action,
                at,
                new
                {
                    window_id = window,
                    surface = "pay",
                    ends_at = Rows.At(7200),
                },
                "olga"
            );

        static AuditEntry Weekly(string action, double at, long window, double? ends = null, int minutes = 60) =>
            Rows.Audit(
                action,
                at,
                new
                {
                    window_id = window,
                    surface = "pay",
                    ends_at = ends is { } end ? Rows.At(end) : (DateTimeOffset?)null,
                    weekly_days = "sun",
                    weekly_at = "22:00",
                    weekly_minutes = minutes,
                    time_zone = "UTC",
                },
                "olga"
            );

        AuditEntry Snooze(string action, double at, bool untilRecovery = false) =>
            Rows.Audit(
                action,
                at,
                new
                {
                    alert_key = key,
                    ends_at = Rows.At(7200),
                    until_recovery = untilRecovery,
                },
                "olga"
            );
    }

    [Theory]
    [InlineData("0123456789abcdef", "0123456789abcdef")]
    [InlineData("0123456789abcdef-42", "0123456789abcdef-42")]
    [InlineData("0123456789abcdef-", null)]
    [InlineData("0123456789abcdef-0", null)]
    [InlineData("0123456789abcdef--4", null)]
    [InlineData("0123456789abcdef-99999999999999999999", null)]
    [InlineData("0123456789ABCDEF", null)]
    [InlineData("0123456789abcdeg", null)]
    [InlineData("0123456789abcdef42", null)]
    [InlineData("nonsense", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void Only_a_key_is_read_as_a_key(string? text, string? key) => Assert.Equal(key, IncidentKey.Parse(text)?.ToString());
}
