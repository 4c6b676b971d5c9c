namespace AutoTicket.Alerts;

/// <summary>Turns observations into episodes: the one place where an alert begins and ends.</summary>
internal sealed class AlertAggregator
{
    /// <summary>Takes one request's observations; returns once they are durable.</summary>
    /// <param name="request">What one sender said at one moment: ids that stand side by side in it are different alerts.</param>
    /// <returns>What became of each, in their order; null: nothing was taken, because the database can't be had or too much is
    /// waiting for it. Whoever sent it should send it again.</returns>
    public Task<IReadOnlyList<Observed>?> ObserveAsync(IReadOnlyList<Observation> request, CancellationToken cancellationToken) => throw new NotImplementedException();
}
