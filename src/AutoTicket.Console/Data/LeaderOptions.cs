using System.ComponentModel.DataAnnotations;

namespace AutoTicket.Data;

/// <summary>Settings under <c>Leader__*</c>.</summary>
internal sealed class LeaderOptions
{
    /// <summary>How long a leader that was killed or frozen keeps the others from leading. The leader renews it three times within that.</summary>
    [Range(typeof(TimeSpan), "00:00:03", "00:05:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(10);

    public TimeSpan RenewEvery => Lease * 0.3;

    /// <summary>How often the others ask for the lease.</summary>
    public TimeSpan AskEvery => Lease * 0.1;
}
