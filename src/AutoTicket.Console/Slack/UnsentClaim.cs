using AutoTicket.Data;

namespace AutoTicket.Slack;

/// <summary>The claim of a message that was not sent.</summary>
internal static class UnsentClaim
{
    private static readonly Backoff Retries = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5));

    /// <summary>Releases the claim, and repeats that while the database is away: otherwise the message would count as sent. It does not
    /// depend on the lease, because another process may lead meanwhile.</summary>
    public static async Task ReleaseAsync(Func<Task> release, TimeProvider clock, CancellationToken stoppingToken)
    {
        for (var failures = 1; ; failures++)
        {
            try
            {
                await release();
                return;
            }
            catch (Exception exception) when (Outages.IsOutage(exception))
            {
                // The database gate logs it.
            }

            await Task.Delay(Retries.After(failures), clock, stoppingToken);
        }
    }
}
