using Xunit.Abstractions;

[assembly: TestCollectionOrderer("AutoTicket.Tests.Kit.LongestFirst", "AutoTicket.Console.Tests")]

namespace AutoTicket.Tests.Kit;

/// <summary>Starts first what takes longest: begun last, it would run alone.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    // Minutes of processes that wait for leases, and of a browser.
    private static readonly string[] Long =
    [
        "RandomScheduleTests",
        "ReplicasTests",
        "EachSinkTests",
        "FrozenLeaderTests",
        "KilledLeaderTests",
        "EveryPageTests",
        "KilledFilerTests",
        "StormTests",
        "ProviderSignInTests",
        "InjectedFaultTests",
        "DegradedClickTests",
        "DeliveryWatchTests",
        "LostConnectionJourneys",
        "AlertOutageTests",
        "OpenTicketsSyncTests",
        "ReplicaBoardsTests",
        "ReconciliationTests",
        "ResolveTests",
        "TagRepairTests",
        "FindingTests",
        "KilledPipelineTests",
        "OwnNetworkTests",
        "TicketPassTests",
        "EscalationTests",
        "WebhookIntakeTests",
        "LostAnswerTests",
        "RecoveredReminderTests",
    ];

    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections
            .OrderBy(collection =>
                Array.FindIndex(Long, name => collection.DisplayName.EndsWith(name, StringComparison.Ordinal)) is >= 0 and var place
                    ? place
                    : Long.Length
            )
            .ThenBy(collection => collection.UniqueID);
}
