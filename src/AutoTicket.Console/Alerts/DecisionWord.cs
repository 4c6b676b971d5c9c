using System.Linq.Expressions;
using AutoTicket.Data;
using AutoTicket.Surfaces;

namespace AutoTicket.Alerts;

/// <summary>A decision about an alert. Its text is stored, logged and shown: <c>filed</c>, <c>degraded: timed_out</c>.</summary>
internal readonly record struct DecisionWord
{
    private const string DegradedPrefix = "degraded: ";
    private const string SeverityPrefix = "severity P";

    private DecisionWord(string text) => Text = text;

    // The ticket: hook and click.
    public static DecisionWord Filed { get; } = new("filed");
    public static DecisionWord Adopted { get; } = new("adopted");
    public static DecisionWord AlreadyOpen { get; } = new("already open");
    public static DecisionWord LookedUp { get; } = new("answer lost: looking it up");
    public static DecisionWord FlagOff { get; } = new("flag off");
    public static DecisionWord BreakerTripped { get; } = new("breaker tripped");
    public static DecisionWord EscalationHasNoTicket { get; } = new("no ticket: escalation");
    public static DecisionWord OwnNetworkHasNoTicket { get; } = new("no ticket: own network");
    public static DecisionWord Error { get; } = new("error");

    // The note on a ticket.
    public static DecisionWord SeverityNoted { get; } = new("severity noted");
    public static DecisionWord EndNoted { get; } = new("end noted");
    public static DecisionWord NoteRefused { get; } = new("note refused");
    public static DecisionWord NoNote { get; } = new("no note");
    public static DecisionWord NoTicket { get; } = new("no ticket");
    public static DecisionWord TicketClosed { get; } = new("ticket closed");

    // The DM.
    public static DecisionWord Sent { get; } = new("sent");
    public static DecisionWord InDigest { get; } = new("in digest");
    public static DecisionWord WaitingForDigest { get; } = new("waiting for the next digest");
    public static DecisionWord HeldFlapping { get; } = new("held: flapping");
    public static DecisionWord NotMoreSevere { get; } = new("no DM: not more severe");
    public static DecisionWord NotSetUp { get; } = new("not set up");

    // Nothing is filed or sent now.
    public static DecisionWord InMaintenance { get; } = new("held: maintenance");
    public static DecisionWord Snoozed { get; } = new("held: snoozed");
    public static DecisionWord EndedMuted { get; } = new("dropped: ended meanwhile");

    // The intake.
    public static DecisionWord Folded { get; } = new("folded");
    public static DecisionWord BelowSeverity { get; } = new("below severity");

    /// <summary>The intake read a field in another way than it was sent.</summary>
    public static DecisionWord AcceptedWithChange { get; } = new("accepted with a change");

    // The canary.
    public static DecisionWord Passed { get; } = new("passed");
    public static DecisionWord Failed { get; } = new("failed");

    /// <summary>The console's own database could not be used.</summary>
    public static DecisionWord DatabaseDegraded { get; } = Degraded("database");

    /// <summary><see cref="IsDegraded"/> as a condition of a query.</summary>
    public static Expression<Func<Decision, bool>> IsDegradedRow { get; } =
        // The cast makes EF compare the stored text: it can't translate a member of a converted value.
        decision => ((string)(object)decision.Word).StartsWith(DegradedPrefix);

    /// <summary>A DM went out, alone or in a digest, as a condition of a query.</summary>
    public static Expression<Func<Decision, bool>> IsMessageRow { get; } = decision => decision.Word == Sent || decision.Word == InDigest;

    public string Text { get; }

    /// <summary>FreeScout, Slack or the database failed; the effect is tried again.</summary>
    public bool IsDegraded => Text.StartsWith(DegradedPrefix, StringComparison.Ordinal);

    /// <summary>Why it <see cref="IsDegraded"/>, as <c>timed_out</c>; otherwise empty.</summary>
    public string Cause => IsDegraded ? Text[DegradedPrefix.Length..] : "";

    /// <summary>The severity of a firing alert changed: <c>severity P3 → P1</c>.</summary>
    public bool IsSeverityChange => Text.StartsWith(SeverityPrefix, StringComparison.Ordinal);

    public static DecisionWord SeverityChanged(Severity from, Severity to) => new($"severity {from} → {to}");

    public static DecisionWord Degraded(string cause) => new(DegradedPrefix + cause);

    public static DecisionWord Degraded<TCause>(TCause cause)
        where TCause : struct, Enum => Degraded(Words.Of(cause));

    /// <summary>The word of a row. Rows may hold words of earlier versions.</summary>
    public static DecisionWord Stored(string text) => new(text);

    public override string ToString() => Text;
}
