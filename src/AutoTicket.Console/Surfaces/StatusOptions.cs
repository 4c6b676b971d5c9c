using System.ComponentModel.DataAnnotations;

namespace AutoTicket.Surfaces;

/// <summary>Settings under <c>Status__*</c>.</summary>
internal sealed class StatusOptions : IValidatableObject
{
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>For surfaces that name no timeout of their own.</summary>
    public TimeSpan ProbeTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Probes under way at once. A hanging surface holds one place until its timeout.</summary>
    public int Parallelism { get; set; } = 256;

    /// <summary>How long readings are kept.</summary>
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(90);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (PollInterval < TimeSpan.FromMilliseconds(100) || PollInterval > TimeSpan.FromHours(1))
        {
            yield return new($"Status__PollInterval must be between 00:00:00.1 and 01:00:00, but is {PollInterval}.");
        }

        if (ProbeTimeout < TimeSpan.FromMilliseconds(50) || ProbeTimeout > TimeSpan.FromMinutes(5))
        {
            yield return new($"Status__ProbeTimeout must be between 00:00:00.05 and 00:05:00, but is {ProbeTimeout}.");
        }

        if (Parallelism is < 1 or > 4096)
        {
            yield return new($"Status__Parallelism must be between 1 and 4096, but is {Parallelism}.");
        }

        if (Retention < TimeSpan.FromDays(1))
        {
            yield return new($"Status__Retention must be a day or more, but is {Retention}.");
        }
    }
}
