using AutoTicket.Tests.Processes;
using Xunit.Abstractions;

[assembly: TestCollectionOrderer("AutoTicket.Tests.Kit.LongestFirst", "AutoTicket.Console.Tests")]

namespace AutoTicket.Tests.Kit;

/// <summary>The collection that takes as long as all others together starts first, beside them; begun last it would run alone.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderByDescending(collection => collection.DisplayName == nameof(Processes.Processes)).ThenBy(collection => collection.UniqueID);
}
