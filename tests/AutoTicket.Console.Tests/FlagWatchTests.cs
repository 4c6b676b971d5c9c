using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Flags;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Testing;

namespace AutoTicket.Tests;

/// <summary>The flags of one or two processes on one database, without a host, with a clock that only the test moves.</summary>
public sealed class FlagWatchTests : IAsyncLifetime
{
    private const string Flag = FlagNames.AlertsAutoTicket;
    private const string Why = "because of a test";

    private readonly StillClock _clock = new();
    private readonly List<(FlagWatch Store, DatabaseSignals Signals)> _processes = [];
    private TestDatabase _database = null!;

    public async Task InitializeAsync() => _database = await TestDatabase.CreateAsync(Database.Sqlite);

    public async Task DisposeAsync()
    {
        foreach (var (store, signals) in _processes)
        {
            await store.StopAsync(default);
            await signals.StopAsync(default);
            store.Dispose();
            signals.Dispose();
        }

        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_flag_applies_once_the_start_or_its_change_has_completed()
    {
        var first = await StartAsync();
        Assert.Equal(FlagChangeResult.Changed, await first.ChangeAsync(Flag, new(true, Why), "olga", default));
        Assert.True(IsOn(first));

        Assert.True(IsOn(await StartAsync(signals: false)));
    }

    [Fact]
    public async Task A_change_for_a_time_is_reversed_when_the_time_is_over()
    {
        var (first, second) = (await StartAsync(), await StartAsync(signals: false));
        await first.ChangeAsync(Flag, new(true, Why), "olga", default);
        Assert.Equal(FlagChangeResult.Changed, await first.ChangeAsync(Flag, new(false, Why, For: TimeSpan.FromHours(1)), "olga", default));
        Assert.False(IsOn(first));
        Assert.Equal(_clock.GetUtcNow().AddHours(1), first.Current.Flags.Single(flag => flag.Name == Flag).Scheduled!.At);

        _clock.Advance(TimeSpan.FromHours(1));
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(1),
            () => Task.FromResult(IsOn(first) && IsOn(second)),
            "the flag is on again in both processes"
        );

        Assert.Equal(
            FlagChangeResult.BadRequest,
            await first.ChangeAsync(Flag, new(false, Why, _clock.GetUtcNow().AddHours(1), TimeSpan.FromHours(1)), "olga", default)
        );
        Assert.Equal(FlagChangeResult.BadRequest, await first.ChangeAsync(Flag, new(false, Why, For: TimeSpan.Zero), "olga", default));
        Assert.True(IsOn(first));
    }

    [Fact]
    public async Task A_switch_without_an_end_replaces_one_for_a_time()
    {
        var (first, second) = (await StartAsync(), await StartAsync(signals: false));
        await first.ChangeAsync(Flag, new(true, Why), "olga", default);
        await first.ChangeAsync(Flag, new(false, Why, For: TimeSpan.FromHours(1)), "olga", default);

        Assert.Equal(FlagChangeResult.Changed, await second.ChangeAsync(Flag, new(false, "keep off until fixed"), "peter", default));
        Assert.Null(State(second).Scheduled);

        _clock.Advance(TimeSpan.FromHours(2));
        await first.ChangeAsync(FlagNames.InvestigateFromStatus, new(true, Why), "olga", default);
        Assert.Equal((false, "peter"), (IsOn(first), State(first).ChangedBy));
        Assert.Equal([(false, true), (true, false), (false, false)], await ChangesAsync());
    }

    [Fact]
    [Trait("Pitfall", "T-57")]
    public async Task A_change_reaches_other_processes_by_signal_or_else_by_a_poll()
    {
        var (first, signaled, polling) = (await StartAsync(), await StartAsync(), await StartAsync(signals: false));
        var raised = 0;
        signaled.Changed += () => raised++;

        await Eventually.TrueAsync(
            async () =>
            {
                // Sends the change again each time: if the database is busy, a poll may miss it until the clock moves.
                await first.ChangeAsync(Flag, new(true, Why), "olga", default);
                return IsOn(signaled) && raised > 0;
            },
            "the signal arrives and raises the event"
        );
        await _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(IsOn(polling)), "it polls the change");
    }

    [Fact]
    public void The_flags_are_read_when_a_change_is_due_and_each_second_while_they_are_stale_or_processes_disagree()
    {
        var now = _clock.GetUtcNow();
        var flag = new FlagState(Flag, Enabled: true, FlagLayer.Store, false, null, null, null, null, [new("here", true, now)]);
        var later = flag with { Scheduled = new(false, now.AddMinutes(1), "olga", Why) };
        var soon = flag with { Scheduled = new(false, now.AddSeconds(3), "olga", Why) };

        Assert.Equal(DatabaseSignals.LongestPause, PauseAfter(flag, later));
        Assert.Equal(TimeSpan.FromSeconds(3), PauseAfter(later, soon));
        Assert.InRange(PauseAfter(soon with { Scheduled = soon.Scheduled! with { At = now } }), TimeSpan.Zero, TimeSpan.FromSeconds(0.1));
        Assert.Equal(TimeSpan.FromSeconds(1), PauseAfter(flag with { Acks = [new("here", true, now), new("there", false, now)] }));
        Assert.Equal(TimeSpan.FromSeconds(1), FlagWatch.PauseAfter(new([later], now, IsStale: true), now));
        // Nor may an outage in which a change falls due be a storm of reads.
        Assert.Equal(TimeSpan.FromSeconds(1), FlagWatch.PauseAfter(new([later], now, IsStale: true), now.AddMinutes(2)));

        TimeSpan PauseAfter(params FlagState[] flags) => FlagWatch.PauseAfter(new(flags, now, IsStale: false), now);
    }

    [Fact]
    [Trait("Pitfall", "T-61")]
    public async Task A_flag_switched_off_by_the_environment_stays_off_and_invalid_changes_are_refused()
    {
        var store = await StartAsync("0");

        Assert.Equal(FlagChangeResult.PinnedByEnvironment, await store.ChangeAsync(Flag, new(true, Why), "olga", default));
        Assert.Equal(FlagChangeResult.UnknownFlag, await store.ChangeAsync("FLAG_OF_NOBODY", new(true, Why), "olga", default));
        Assert.Equal(FlagChangeResult.BadRequest, await store.ChangeAsync(Flag, new(false, " "), "olga", default));
        Assert.Equal(FlagChangeResult.Changed, await store.ChangeAsync(Flag, new(false, Why), "olga", default));
    }

    [Fact]
    [Trait("Pitfall", "T-60")]
    public async Task A_scheduled_change_is_carried_out_once_at_its_time_and_a_cancelled_one_never()
    {
        var (one, other) = (await StartAsync(), await StartAsync());
        await one.ChangeAsync(Flag, new(true, Why, _clock.GetUtcNow().AddMinutes(1)), "olga", default);
        _clock.Advance(TimeSpan.FromSeconds(59));
        await one.ChangeAsync(FlagNames.InvestigateFromStatus, new(false, Why), "olga", default);
        Assert.False(IsOn(one));

        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(1),
            () => Task.FromResult(IsOn(one) && IsOn(other)),
            "the change is carried out"
        );
        Assert.Null(State(one).Scheduled);
        Assert.Equal([(false, false), (false, true)], await ChangesAsync());

        await one.ChangeAsync(Flag, new(false, Why, _clock.GetUtcNow().AddMinutes(1)), "olga", default);
        Assert.Equal(FlagChangeResult.Changed, await one.CancelScheduleAsync(Flag, "olga", default));
        _clock.Advance(TimeSpan.FromMinutes(2));
        await one.ChangeAsync(FlagNames.InvestigateFromStatus, new(true, Why), "olga", default);
        Assert.True(IsOn(one));
    }

    /// <summary>The person moves it after it was read as due and before it is carried out.</summary>
    [Fact]
    [Trait("Pitfall", "T-60")]
    public async Task A_scheduled_change_that_was_postponed_meanwhile_is_not_carried_out()
    {
        var contexts = new Contexts(_database);
        var store = await StartAsync(signals: false, contexts: contexts);
        await store.ChangeAsync(Flag, new(true, Why, _clock.GetUtcNow().AddMinutes(1)), "olga", default);
        var moved = _clock.GetUtcNow().AddHours(1);
        contexts.BeforeSecond = db => db.FeatureFlags.ExecuteUpdate(set => set.SetProperty(flag => flag.ScheduledAt, moved));

        await _clock.AdvanceUntilAsync(
            TimeSpan.FromMinutes(1),
            () => Task.FromResult(State(store).Scheduled?.At == moved),
            "the change is postponed"
        );

        Assert.False(IsOn(store));
    }

    [Fact]
    [Trait("Pitfall", "T-59")]
    public async Task One_of_two_processes_that_start_together_audits_the_environments_flag()
    {
        var contexts = new Contexts(_database)
        {
            BeforeSecond = db =>
            {
                db.FeatureFlags.Add(new FlagRow { Name = Flag, Environment = "on" });
                db.SaveChanges();
            },
        };

        Assert.True(IsOn(await StartAsync("1", contexts: contexts)));

        Assert.Empty(await ChangesAsync());
    }

    /// <summary>Another process or a person may have changed the row since it was read.</summary>
    [Fact]
    [Trait("Pitfall", "T-60")]
    public async Task A_change_is_applied_to_the_latest_version_of_the_row()
    {
        var table = new FlagStore(new Contexts(_database), EnvironmentWith(null), _clock);
        var tries = 0;

        await table.ChangeAsync(
            Flag,
            "olga",
            Why,
            row =>
            {
                if (++tries == 1)
                {
                    table.ChangeAsync(Flag, "peter", Why, Name, default).GetAwaiter().GetResult();
                }

                row.Reason += ", olga";
                return true;
            },
            default
        );

        await using var db = _database.Open();
        Assert.Equal("peter, olga", (await db.FeatureFlags.SingleAsync()).Reason);

        static bool Name(FlagRow row)
        {
            row.Reason = "peter";
            return true;
        }
    }

    [Fact]
    [Trait("Pitfall", "T-59")]
    public async Task The_environments_flag_is_audited_only_at_a_start_and_only_if_it_changed()
    {
        await StartAsync("1");
        await StartAsync("1");
        Assert.Equal([(false, true)], await ChangesAsync());

        await StartAsync("0");
        Assert.Equal([(false, true), (true, false)], await ChangesAsync());

        // The stores of the earlier start poll again; they must not write back their own environment.
        _clock.Advance(TimeSpan.FromSeconds(1));
        await _processes[0].Store.ChangeAsync(FlagNames.InvestigateFromStatus, new(true, Why), "olga", default);
        Assert.Equal(2, (await ChangesAsync()).Count);
    }

    [Fact]
    [Trait("Pitfall", "T-61")]
    public async Task While_the_store_is_unreachable_the_last_known_values_hold_and_a_change_fails()
    {
        var contexts = new Contexts(_database);
        var store = await StartAsync(contexts: contexts);
        await store.ChangeAsync(Flag, new(true, Why), "olga", default);

        contexts.IsAway = true;
        Assert.Equal(FlagChangeResult.StoreUnreachable, await store.ChangeAsync(Flag, new(false, Why), "olga", default));
        await _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(store.Current.IsStale), "the state is marked stale");
        Assert.True(IsOn(store));

        contexts.IsAway = false;
        await _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(!store.Current.IsStale), "the store is read again");
    }

    [Fact]
    public async Task While_the_store_takes_no_writes_the_flags_are_read_and_one_warning_says_that_they_are_not_acknowledged()
    {
        var contexts = new Contexts(_database);
        var log = new FakeLogger<FlagWatch>();
        var store = await StartAsync(contexts: contexts, logger: log);
        var reads = contexts.Made;

        contexts.IsReadOnly = true;
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(5),
            () => Task.FromResult(contexts.Made > reads + 20),
            "the flags were read many times"
        );

        Assert.False(store.Current.IsStale);
        var warning = Assert.Single(log.Collector.GetSnapshot(), line => line.Level == LogLevel.Warning);
        Assert.StartsWith("flags are in force but can't be acknowledged", warning.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(log.Collector.GetSnapshot(), line => line.Message.Contains("read again", StringComparison.Ordinal));

        contexts.IsReadOnly = false;
        await using var db = _database.Open();
        var acked = await db.FlagAcks.MaxAsync(ack => ack.At);
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(5),
            async () => await db.FlagAcks.MaxAsync(ack => ack.At) > acked,
            "the flags are acknowledged again"
        );
    }

    [Fact]
    public async Task A_bug_in_one_poll_does_not_stop_the_next()
    {
        var contexts = new Contexts(_database);
        var store = await StartAsync(contexts: contexts);

        contexts.HasBug = true;
        await _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(store.Current.IsStale), "the state is marked stale");
        contexts.HasBug = false;

        await _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(!store.Current.IsStale), "the store is read again");
    }

    [Fact]
    [Trait("Pitfall", "T-59")]
    public async Task Each_process_reports_its_flags_at_once_and_repeatedly_and_a_silent_process_disappears()
    {
        var store = await StartAsync();
        await using var db = _database.Open();
        var gone = _clock.GetUtcNow().AddSeconds(-31);
        db.FlagAcks.Add(
            new FlagAckRow
            {
                Instance = "gone",
                Name = Flag,
                At = gone,
            }
        );
        db.FlagAcks.Add(
            new FlagAckRow
            {
                Instance = "long gone",
                Name = Flag,
                At = _clock.GetUtcNow().AddMinutes(-11),
            }
        );
        await db.SaveChangesAsync();

        await store.ChangeAsync(Flag, new(true, Why), "olga", default);

        var mine = await db.FlagAcks.AsNoTracking().SingleAsync(ack => ack.Name == Flag && ack.At > gone);
        Assert.True(mine.Enabled);
        var kept = await db.FlagAcks.Where(ack => ack.Name == Flag).OrderBy(ack => ack.At).Select(ack => ack.Instance).ToListAsync();
        Assert.Equal(["gone", mine.Instance], kept);
        await _clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(5),
            () => db.FlagAcks.AnyAsync(ack => ack.Name == Flag && ack.At > mine.At),
            "the process reports again"
        );
        await store.ChangeAsync(FlagNames.InvestigateFromStatus, new(true, Why), "olga", default);
        Assert.Equal([(mine.Instance, true)], State(store).Acks.Select(ack => (ack.Instance, ack.Enabled)));
    }

    private static FlagState State(FlagWatch store) => store.Current.Flags.Single(flag => flag.Name == Flag);

    private static bool IsOn(FlagWatch store) => State(store).Enabled;

    private static FlagEnvironment EnvironmentWith(string? word) =>
        FlagEnvironment.Read(
            new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { [Flag] = word }).Build(),
            defaultOn: false
        );

    /// <param name="signals">False: the store receives no signals.</param>
    private async Task<FlagWatch> StartAsync(
        string? environment = null,
        bool signals = true,
        Contexts? contexts = null,
        ILogger<FlagWatch>? logger = null
    )
    {
        contexts ??= new Contexts(_database);
        var databaseSignals = new SqliteSignals($"Data Source={_database.Location}", _clock, NullLogger<DatabaseSignals>.Instance);
        var store = new FlagWatch(
            new FlagStore(contexts, EnvironmentWith(environment), _clock),
            EnvironmentWith(environment),
            databaseSignals,
            _clock,
            logger ?? NullLogger<FlagWatch>.Instance
        );
        _processes.Add((store, databaseSignals));
        await store.StartAsync(default);
        if (signals)
        {
            await databaseSignals.StartAsync(default);
        }

        return store;
    }

    private async Task<List<(bool Before, bool After)>> ChangesAsync()
    {
        await using var db = _database.Open();
        var changes = await db
            .AuditLog.Where(entry => entry.Action == AuditActions.FlagChanged)
            .OrderBy(entry => entry.Id)
            .Select(entry => entry.Payload)
            .ToListAsync();
        return
        [
            .. changes
                .Select(payload => JsonDocument.Parse(payload).RootElement)
                .Where(payload => payload.GetProperty("flag").GetString() == Flag)
                .Select(payload => (payload.GetProperty("before").GetBoolean(), payload.GetProperty("after").GetBoolean())),
        ];
    }

    private sealed class Contexts(TestDatabase database) : IDbContextFactory<AutoTicketDbContext>
    {
        public int Made { get; private set; }

        public bool IsAway { get; set; }

        public bool IsReadOnly { get; set; }

        public bool HasBug { get; set; }

        private int _since;

        /// <summary>Runs just before the second context from now is created.</summary>
        public Action<AutoTicketDbContext>? BeforeSecond { get; set; }

        public AutoTicketDbContext CreateDbContext()
        {
            Made++;
            if (BeforeSecond is { } happen && ++_since == 2)
            {
                using var db = database.Open();
                happen(db);
            }

            return Create();
        }

        private AutoTicketDbContext Create() =>
            HasBug ? throw new InvalidOperationException("a bug")
            : IsReadOnly ? database.OpenReadOnly()
            : !IsAway ? database.Open()
            : new SqliteDbContext(new DbContextOptionsBuilder<SqliteDbContext>().UseSqlite("Data Source=/nowhere/autoticket.db").Options);
    }
}
