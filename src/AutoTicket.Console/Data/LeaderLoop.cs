namespace AutoTicket.Data;

/// <summary>A loop that turns in the leader alone. Who takes the lead begins at once.</summary>
internal abstract class LeaderLoop(LeaderLease leader, TimeProvider clock, ILogger logger) : Loop(clock, logger)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);

    protected LeaderLease Leader => leader;

    protected override void Begin() => leader.Changed += Wake;

    /// <inheritdoc cref="Loop.TurnAsync"/>
    protected abstract Task<TimeSpan> LeadAsync(CancellationToken stoppingToken);

    protected sealed override Task<TimeSpan> TurnAsync(CancellationToken stoppingToken) =>
        leader.IsLeader ? LeadAsync(stoppingToken) : Task.FromResult(LookEvery);
}
