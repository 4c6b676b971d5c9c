using Xunit.Abstractions;

[assembly: TestCollectionOrderer("AutoTicket.Tests.Kit.LongestFirst", "AutoTicket.Console.Tests")]

namespace AutoTicket.Tests.Kit;

/// <summary>Starts first what takes longest: begun last, it would run alone.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    // Minutes of processes that wait for leases, and of a browser.
    private static readonly string[] Long = ["RandomScheduleTests", "ReplicasTests", "FrozenLeaderTests", "KilledLeaderTests", "KilledFilerTests", "StormTests", "EveryPageTests", "ReconciliationTests", "AlertOutageTests", "LostConnectionJourneys", "RecoveredReminderTests"];

    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderBy(collection => Array.FindIndex(Long, name => collection.DisplayName.EndsWith(name, StringComparison.Ordinal)) is >= 0 and var place ? place : Long.Length).ThenBy(collection => collection.UniqueID);
}
