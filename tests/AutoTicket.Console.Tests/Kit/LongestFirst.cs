using Xunit.Abstractions;

[assembly: TestCollectionOrderer("AutoTicket.Tests.Kit.LongestFirst", "AutoTicket.Console.Tests")]

namespace AutoTicket.Tests.Kit;

/// <summary>Starts the slowest collections first. A slow collection that started last would run alone.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    // In the order of their measured duration. Most of it is waiting for leases and for the browser.
    private static readonly string[] Long =
    [
        "EachSinkTests",
        "ReleaseTests",
        "UnclaimedReminderTests",
        "FlagMessagesTests",
        "ProviderSignInTests",
        "EveryPageTests",
        "DeliveryWatchTests",
        "TagRepairTests",
        "KilledLeaderTests",
        "WorklistJourneys",
        "FrozenLeaderTests",
        "ResolveTests",
        "InjectedFaultTests",
        "EscalationTests",
        "LostAnswerTests",
        "KilledFilerTests",
        "ReplicasTests",
        "DegradedClickTests",
        "RandomScheduleTests",
        "RecoveredReminderTests",
        "OpenTicketsSyncTests",
        "AlertOutageTests",
        "KilledPipelineTests",
        "LiveRegionJourneys",
        "ForcedColorsTests",
        "ReplicaBoardsTests",
        "OwnNetworkTests",
        "LostConnectionJourneys",
        "FindingTests",
        "SecretScanTests",
        "ReconciliationTests",
        "WebhookIntakeTests",
        "SearchJourneys",
        "DatabaseOutageAlertTests",
        "TicketPassTests",
        "AdmissionTests",
        "ManySurfacesTests",
        "MutedAlertsTests",
        "FloodTests",
        "PrometheusEndToEndTests",
        "DatabaseAtStartTests",
        "DiagnosticsJourneys",
        "FrozenFilerTests",
        "DeliveryTestTests",
        "RunbookTests+FreeScoutDown",
        "WindowTests",
        "AlertCycleTests",
        "LockoutTests",
        "AttentionJourneys",
        "KilledMigrationTests",
        "TicketJourneys",
        "RoleJourneys",
        "FollowerTests",
        "AlertTicketTests",
        "CanaryTests",
        "MaintenanceAcrossProcessesTests",
        "BackupTests",
        "TwoConsolesTests",
        "StormTests",
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

    /// <summary>Adds threads, because SQLite blocks its caller: with one thread per core other tests waited up to 2.5 s. It waits
    /// until xunit has queued all collections, because many threads would queue them in any order.</summary>
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
