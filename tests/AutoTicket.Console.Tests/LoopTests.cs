using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using AutoTicket.Data;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace AutoTicket.Tests;

/// <summary>Rules for all background loops.</summary>
public sealed class LoopTests
{
    // Flows into the loops of this test's console only.
    private static readonly AsyncLocal<bool> IsOurs = new();

    [Fact]
    public async Task A_bug_in_any_loop_is_an_ERROR_and_the_loop_goes_on()
    {
        var turns = new ConcurrentDictionary<string, int>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "autoticket.loop.turns")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>(
            (_, _, tags, _) =>
            {
                var loop = (string)tags[0].Value!;
                if (IsOurs.Value && turns.AddOrUpdate(loop, 1, (_, before) => before + 1) == 1)
                {
                    throw new InvalidOperationException($"a bug in {loop}");
                }
            }
        );
        listener.Start();

        IsOurs.Value = true;
        await using var console = await ConsoleHost.StartAsync();
        console.ExpectsErrors = true;

        var loops = console.Get<IEnumerable<IHostedService>>().OfType<Loop>().Select(loop => loop.GetType().Name).ToList();
        Assert.InRange(loops.Count, 20, 40);
        foreach (var loop in loops)
        {
            await Eventually.TrueAsync(() => turns.GetValueOrDefault(loop) > 1, $"{loop} goes on");
            Assert.Single(
                console.Log,
                line =>
                    line.StartsWith("ERROR", StringComparison.Ordinal)
                    && line.Contains($"{loop} failed, it goes on", StringComparison.Ordinal)
            );
        }
    }

    /// <summary>The database gate, which logs outages, does not see it.</summary>
    [Fact]
    public async Task A_right_that_was_taken_away_is_one_WARNING_until_it_is_given_back()
    {
        var (clock, log) = (new StillClock(), new FakeLogger());
        using var loop = new Refused(clock, log);
        await loop.StartAsync(default);
        await clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(loop.Turns > 3), "it goes on");
        var warning = Assert.Single(log.Collector.GetSnapshot());
        Assert.Equal(LogLevel.Warning, warning.Level);
        Assert.Contains("permission denied for table alerts", warning.Message, StringComparison.Ordinal);

        loop.IsGranted = true;
        var turns = loop.Turns;
        await clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(loop.Turns > turns + 1), "it works");
        loop.IsGranted = false;
        turns = loop.Turns;
        await clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(loop.Turns > turns + 2), "it is refused again");

        Assert.Equal(2, log.Collector.Count);
        await loop.StopAsync(default);
    }

    private sealed class Refused(TimeProvider clock, ILogger logger) : Loop(clock, logger)
    {
        private int _turns;

        public int Turns => Volatile.Read(ref _turns);

        public bool IsGranted { get; set; }

        protected override Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
        {
            Interlocked.Increment(ref _turns);
            return IsGranted
                ? Task.FromResult(TimeSpan.FromSeconds(1))
                : throw new PostgresException(
                    "permission denied for table alerts",
                    "ERROR",
                    "ERROR",
                    PostgresErrorCodes.InsufficientPrivilege
                );
        }
    }

    /// <summary>Its pause ends at a time of the shared clock, but is measured by the machine's.</summary>
    [Fact]
    public async Task A_loop_looks_again_when_the_shared_clock_is_set()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        var clock = new DatabaseClock(new FakeTimeProvider());
        using var loop = new Patient(clock);
        await loop.StartAsync(default);
        await Eventually.TrueAsync(() => loop.Turns == 1, "it pauses");

        await using var db = database.Open();
        await clock.SynchronizeAsync(db, default);

        await Eventually.TrueAsync(() => loop.Turns == 2, "it looks again");
        await loop.StopAsync(default);
    }

    /// <summary>An operator corrects the machine's clock, or the machine was suspended.</summary>
    [Theory]
    [InlineData(-1), InlineData(8)]
    public async Task On_SQLite_the_shared_clock_follows_the_machines(int hours)
    {
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        var machine = new StillClock();
        var clock = new DatabaseClock(machine);
        var steps = 0;
        clock.Stepped += () => steps++;

        machine.SetBack(-TimeSpan.FromHours(hours));
        await using var db = database.Open();
        await clock.SynchronizeAsync(db, default);

        Assert.Equal((machine.GetUtcNow(), 1), (clock.GetUtcNow(), steps));
    }

    /// <summary>The middle of a minute is half a minute wrong: a fast clock would take the lease from a leader that is alive.</summary>
    [Fact]
    public async Task A_process_frozen_while_it_reads_the_databases_clock_reads_it_again()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        var machine = new FrozenMachine();
        var clock = new DatabaseClock(machine);
        machine.IsFrozen = true;

        await using var db = database.Open();
        await clock.SynchronizeAsync(db, default);

        Assert.InRange(clock.GetUtcNow(), DateTimeOffset.MinValue, TimeProvider.System.GetUtcNow());
    }

    /// <summary>Frozen for a minute between the next two looks at its timestamp.</summary>
    private sealed class FrozenMachine : FakeTimeProvider
    {
        private int _looks;

        public bool IsFrozen { get; set; }

        public override long GetTimestamp()
        {
            if (IsFrozen && ++_looks == 2)
            {
                Advance(TimeSpan.FromMinutes(1));
            }

            return base.GetTimestamp();
        }
    }

    private sealed class Patient(TimeProvider clock) : Loop(clock, NullLogger.Instance)
    {
        public int Turns { get; private set; }

        protected override Task<TimeSpan> TurnAsync(CancellationToken stoppingToken)
        {
            Turns++;
            return Task.FromResult(TimeSpan.FromHours(1));
        }
    }
}
