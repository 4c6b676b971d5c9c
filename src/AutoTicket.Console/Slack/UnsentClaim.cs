using AutoTicket.Data;

namespace AutoTicket.Slack;

/// <summary>The claim of a message that was not sent. It carries a mark of its process, so that no process releases another's.</summary>
internal static class UnsentClaim
{
    private static readonly Backoff Retries = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5));

    /// <summary>Makes a claim. If the answer was lost, the claim may have been made, and nobody would send the message: it is released
    /// before the exception leaves.</summary>
    public static async Task<T> TakeAsync<T>(Func<Task<T>> take, Func<Task> release, TimeProvider clock, CancellationToken stoppingToken)
    {
        try
        {
            return await take();
        }
        catch (Exception exception) when (Outages.IsOutage(exception) && !Outages.IsRefusal(exception))
        {
            await ReleaseAsync(release, clock, stoppingToken);
            throw;
        }
    }

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
