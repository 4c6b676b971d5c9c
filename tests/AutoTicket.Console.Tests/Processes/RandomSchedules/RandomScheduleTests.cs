using System.Diagnostics;
using System.Globalization;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace AutoTicket.Tests.Processes;

/// <summary>Random schedules of work and faults on real processes. Each key has one ticket, no alert is lost, and all loops continue.
/// <c>SCHEDULE_SEEDS=1000-1299 ./test.sh --filter FullyQualifiedName~RandomScheduleTests</c> plays other seeds.</summary>
[TestCaseOrderer("AutoTicket.Tests.Processes.SeedOrderer", "AutoTicket.Console.Tests")]
public sealed class RandomScheduleTests(SchedulePlayers players, ITestOutputHelper output) : IClassFixture<SchedulePlayers>
{
    public static TheoryData<int> Seeds => new(SchedulePlayers.Seeds);

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Whatever_happens_each_key_has_one_ticket_none_is_lost_and_all_loops_go_on(int seed)
    {
        var (summary, failure) = await players.OutcomeOfAsync(seed);
        output.WriteLine(summary);
        Assert.True(failure is null, failure);
    }

    [Fact]
    public void The_same_seed_gives_the_same_schedule_and_another_gives_another()
    {
        Assert.Equal(Schedule.Of(7).ToString(), Schedule.Of(7).ToString());
        Assert.NotEqual(Schedule.Of(7).Steps, Schedule.Of(8).Steps);
    }
}

/// <summary>Reports the seeds in the order in which they are played, so that a long run shows its progress.</summary>
public sealed class SeedOrderer : ITestCaseOrderer
{
    public IEnumerable<TTestCase> OrderTestCases<TTestCase>(IEnumerable<TTestCase> testCases)
        where TTestCase : ITestCase
    {
        var seeds = SchedulePlayers.Seeds.ToList();
        return testCases.OrderBy(test => test.TestMethodArguments is [int seed] ? seeds.IndexOf(seed) : -1);
    }
}

/// <summary>Plays the schedules of all seeds, two at a time, each on a PostgreSQL server that no other schedule uses.</summary>
public sealed class SchedulePlayers : IAsyncLifetime
{
    /// <summary>Two seeds that together contain every step, with few process starts.</summary>
    private const string Few = "96116,145584";
    private const int AtOnce = 2;

    private readonly Dictionary<int, TaskCompletionSource<(string, string?)>> _outcomes = Seeds.ToDictionary(
        seed => seed,
        _ => new TaskCompletionSource<(string, string?)>(TaskCreationOptions.RunContinuationsAsynchronously)
    );

    private Task _playing = Task.CompletedTask;

    /// <summary>The seeds of <c>SCHEDULE_SEEDS</c>: numbers and ranges separated by commas, such as “5,1000-1299”.</summary>
    public static IEnumerable<int> Seeds =>
        (Environment.GetEnvironmentVariable("SCHEDULE_SEEDS") is { Length: > 0 } wanted ? wanted : Few)
            .Split(',')
            .SelectMany(part =>
            {
                var ends = part.Split('-').Select(number => int.Parse(number, CultureInfo.InvariantCulture)).ToList();
                return Enumerable.Range(ends[0], ends[^1] - ends[0] + 1);
            });

    public Task InitializeAsync()
    {
        var next = new Queue<int>(Seeds);
        _playing = Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => Task.Run(() => PlayAsync(next))));
        return Task.CompletedTask;
    }

    public Task DisposeAsync() => _playing;

    /// <returns>A summary of the schedule, and its violations or null.</returns>
    public Task<(string Summary, string? Failure)> OutcomeOfAsync(int seed) => _outcomes[seed].Task;

    private async Task PlayAsync(Queue<int> next)
    {
        await using var cluster = await PostgresCluster.StartNewAsync();
        var template = await cluster.CreateDatabaseAsync();
        await Schema.MigrateAsync(template);
        await cluster.SealAsync(template);
        while (true)
        {
            int seed;
            lock (next)
            {
                if (!next.TryDequeue(out seed))
                {
                    return;
                }
            }

            try
            {
                _outcomes[seed].SetResult(await PlayAsync(Schedule.Of(seed), cluster, template));
            }
            catch (Exception failure)
            {
                _outcomes[seed].SetException(failure);
            }
        }
    }

    private static async Task<(string, string?)> PlayAsync(Schedule schedule, PostgresCluster cluster, string template)
    {
        var began = Stopwatch.GetTimestamp();
        await using var run = await ScheduleRun.StartAsync(schedule, cluster, template);
        await run.PlayAsync();
        var played = Stopwatch.GetElapsedTime(began);
        var invariants = new Invariants(run);
        var wrongs = await invariants.CheckAsync();
        var settled = Stopwatch.GetElapsedTime(began) - played;
        var summary =
            $"seed {schedule.Seed} {(wrongs.Count == 0 ? "held" : "FAILED")}: {schedule.Consoles}, "
            + $"{schedule.Steps.Count} steps, {run.FreeScout.CreatedCount} tickets, {run.Sandbox.Slack.Messages.Count} DMs, "
            + $"{invariants.Doubles} duplicate(s) shown, {played.TotalSeconds:0.0} + {settled.TotalSeconds:0.0} s";
        return wrongs.Count == 0
            ? (summary, null)
            : (summary, $"{summary}\n{string.Join('\n', wrongs)}\n{schedule}\nLogs: {await run.SaveLogsAsync()}");
    }
}
