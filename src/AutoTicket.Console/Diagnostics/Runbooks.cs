namespace AutoTicket.Diagnostics;

/// <summary>The sections of <c>docs/ops</c> to which findings link. A test checks that they exist.</summary>
internal static class Runbooks
{
    private const string Ticketing = "docs/ops/runbooks/console-auto-ticketing.md";

    public const string NoTickets = Ticketing + "#no-tickets";
    public const string Flood = Ticketing + "#a-flood-of-tickets";
    public const string LostAnswer = Ticketing + "#freescouts-answer-was-lost";
    public const string FreeScoutDown = Ticketing + "#freescout-is-down";
    public const string NoDms = Ticketing + "#no-slack-dms";
    public const string MissingHook = Ticketing + "#a-hook-is-missing";
    public const string Parked = Ticketing + "#an-alert-is-parked";
    public const string GhostTickets = Ticketing + "#filed-but-not-in-freescout";
    public const string Database = Ticketing + "#the-database-is-away";
    public const string Clocks = Ticketing + "#the-clocks-differ";
    public const string Encryption = Ticketing + "#a-connection-is-not-encrypted";
    public const string Poller = "docs/ops/runbooks/console-status-poller.md#nobody-leads";
    public const string Flags = "docs/ops/feature-flags-runbook.md#a-flip-has-no-effect";
    public const string FlagOff = "docs/ops/feature-flags-runbook.md#feature-flags";
}
