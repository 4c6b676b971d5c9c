namespace AutoTicket.Tests.Journeys;

/// <summary>Tests that measure time, or need the machine: they run one by one, after all that run side by side.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
