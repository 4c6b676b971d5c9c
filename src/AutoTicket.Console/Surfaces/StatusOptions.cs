using System.ComponentModel.DataAnnotations;

namespace AutoTicket.Surfaces;

/// <summary>Settings under <c>Status__*</c>.</summary>
internal sealed class StatusOptions
{
    [Range(typeof(TimeSpan), "00:00:00.1", "01:00:00")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>A surface without a reading for so long is stale. Two intervals; no variable sets it.</summary>
    internal TimeSpan StaleAfter
    {
        get => field > TimeSpan.Zero ? field : 2 * PollInterval;
        set;
    }

    /// <summary>The timeout of surfaces that set none.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:05:00")]
    public TimeSpan ProbeTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How many probes run at once. A surface that hangs occupies one until its timeout.</summary>
    [Range(1, 4096)]
    public int Parallelism { get; set; } = 256;

    /// <summary>How long readings are kept.</summary>
    [Range(typeof(TimeSpan), "1.00:00:00", "3650.00:00:00")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(90);
}
