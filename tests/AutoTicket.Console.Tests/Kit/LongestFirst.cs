using Xunit.Abstractions;

[assembly: TestCollectionOrderer("AutoTicket.Tests.Kit.LongestFirst", "AutoTicket.Console.Tests")]

namespace AutoTicket.Tests.Kit;

/// <summary>Starts first what takes longest: begun last, it would run alone.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    // By the seconds that each took, most of them of processes that wait for leases, and of a browser.
    private static readonly string[] Long =
    [
        "EachSinkTests",
        "KilledLeaderTests",
        "ReplicasTests",
        "FrozenLeaderTests",
        "EveryPageTests",
        "ProviderSignInTests",
        "KilledFilerTests",
        "RandomScheduleTests",
        "InjectedFaultTests",
        "AlertOutageTests",
        "OpenTicketsSyncTests",
        "TagRepairTests",
        "DegradedClickTests",
        "DeliveryWatchTests",
        "LostConnectionJourneys",
        "ResolveTests",
        "ReplicaBoardsTests",
        "OwnNetworkTests",
        "ReconciliationTests",
        "StormTests",
        "FloodTests",
        "EscalationTests",
        "FindingTests",
        "TicketPassTests",
        "RunbookTests+Escalation",
        "RecoveredReminderTests",
        "LostAnswerTests",
        "AlertTicketTests",
        "WindowTests",
        "ShutdownTests",
        "FrozenFilerTests",
        "KilledPipelineTests",
        "WebhookIntakeTests",
        "TwoConsolesTests",
        "DiagnosticsJourneys",
        "PrometheusEndToEndTests",
        "ProductionSignInTests",
        "FollowerTests",
        "DatabaseAtStartTests",
        "LoadBalancerTests",
        "KilledMigrationTests",
        "CanaryTests",
        "DatabaseAwayTests",
        "StatusPollerTests",
    ];

    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections)
    {
        var ordered = testCollections
            .OrderBy(collection =>
                Array.FindIndex(Long, name => collection.DisplayName.EndsWith(name, StringComparison.Ordinal)) is >= 0 and var place
                    ? place
                    : Long.Length
            )
            .ThenBy(collection => collection.UniqueID)
            .ToList();
        AddThreadsOnceQueued(ordered.Count);
        return ordered;
    }

    /// <summary>SQLite blocks the thread that calls it: with one thread a core, calls of other tests waited for up to 2.5 s. Not before
    /// xunit has queued all collections, for many threads at once would queue them in any order.</summary>
    private static void AddThreadsOnceQueued(int collections)
    {
        var begun = ThreadPool.CompletedWorkItemCount;
        new Thread(() =>
        {
            SpinWait.SpinUntil(() => ThreadPool.CompletedWorkItemCount - begun >= collections);
            ThreadPool.SetMinThreads(32, 32);
        })
        {
            IsBackground = true,
        }.Start();
    }
}
