namespace AutoTicket.Tests.Processes;

/// <summary>Tests with processes of their own run one after another: on two cores several at once would only starve each other.</summary>
[CollectionDefinition(nameof(Processes))]
public sealed class Processes;

/// <summary>Tests that hold the console to a second: they run when nothing else of the run does.</summary>
[CollectionDefinition(nameof(ProcessesAlone), DisableParallelization = true)]
public sealed class ProcessesAlone;
