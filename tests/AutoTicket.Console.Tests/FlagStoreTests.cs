using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Flags;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;

namespace AutoTicket.Tests;

/// <summary>The flags of one or two processes on one database, without a host. Their clock moves only when a test moves it.</summary>
public sealed class FlagStoreTests : IAsyncLifetime
{
    private const string Flag = FlagNames.AlertsAutoTicket;
    private const string Why = "because of a test";

    private readonly StillClock _clock = new();
    private readonly List<(FlagStore Store, DatabaseSignals Signals)> _processes = [];
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
    public async Task What_is_stored_is_in_force_when_the_start_has_ended_and_what_was_changed_when_the_change_has()
    {
        var first = await StartAsync();
        Assert.Equal(FlagChangeResult.Changed, await first.ChangeAsync(Flag, new(true, Why), "olga", default));
        Assert.True(IsOn(first));

        Assert.True(IsOn(await StartAsync(signals: false)));
    }

    [Fact]
    [Trait("Pitfall", "T-57")]
    public async Task A_change_reaches_another_process_by_the_signal_alone_and_by_the_look_of_each_second_without_it()
    {
        var (first, heard, deaf) = (await StartAsync(), await StartAsync(), await StartAsync(signals: false));
        var told = 0;
        heard.Changed += () => told++;

        await Eventually.TrueAsync(
            async () =>
            {
                // Each time, because a look that the database is too busy for is made up for by the clock alone.
                await first.ChangeAsync(Flag, new(true, Why), "olga", default);
                return IsOn(heard) && told > 0;
            },
            "the signal is heard, and passed on"
        );
        Assert.False(IsOn(deaf));
        await _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(IsOn(deaf)), "it looked by itself");
    }

    [Fact]
    [Trait("Pitfall", "T-61")]
    public async Task What_the_environment_switched_off_can_not_be_switched_on_and_nonsense_changes_nothing()
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

        await _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(IsOn(one) && IsOn(other)), "it is carried out");
        Assert.Null(State(one).Scheduled);
        Assert.Equal([(false, false), (false, true)], await ChangesAsync());

        await one.ChangeAsync(Flag, new(false, Why, _clock.GetUtcNow().AddMinutes(1)), "olga", default);
        Assert.Equal(FlagChangeResult.Changed, await one.CancelScheduleAsync(Flag, "olga", default));
        _clock.Advance(TimeSpan.FromMinutes(2));
        await one.ChangeAsync(FlagNames.InvestigateFromStatus, new(true, Why), "olga", default);
        Assert.True(IsOn(one));
    }

    /// <summary>Between its being read as due and its being carried out.</summary>
    [Fact]
    [Trait("Pitfall", "T-60")]
    public async Task A_scheduled_change_that_a_person_moved_meanwhile_is_not_carried_out()
    {
        var contexts = new Contexts(_database);
        var store = await StartAsync(signals: false, contexts: contexts);
        await store.ChangeAsync(Flag, new(true, Why, _clock.GetUtcNow().AddMinutes(1)), "olga", default);
        var moved = _clock.GetUtcNow().AddHours(1);
        contexts.BeforeSecond = db => db.FeatureFlags.ExecuteUpdate(set => set.SetProperty(flag => flag.ScheduledAt, moved));

        await _clock.AdvanceUntilAsync(TimeSpan.FromMinutes(1), () => Task.FromResult(State(store).Scheduled?.At == moved), "it is moved");

        Assert.False(IsOn(store));
    }

    [Fact]
    [Trait("Pitfall", "T-59")]
    public async Task What_the_environment_says_is_audited_by_one_of_two_that_start_together()
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

    /// <summary>Another process may have been faster, or a person have moved it.</summary>
    [Fact]
    [Trait("Pitfall", "T-60")]
    public async Task A_change_is_made_to_the_row_as_it_is_when_it_is_written()
    {
        var table = new FlagTable(new Contexts(_database), Said(null), _clock);
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
    public async Task What_the_environment_says_is_audited_when_it_changes_and_at_a_start_alone()
    {
        await StartAsync("1");
        await StartAsync("1");
        Assert.Equal([(false, true)], await ChangesAsync());

        await StartAsync("0");
        Assert.Equal([(false, true), (true, false)], await ChangesAsync());

        // Those of the earlier start look again, and know better than to write their own word back.
        _clock.Advance(TimeSpan.FromSeconds(1));
        await _processes[0].Store.ChangeAsync(FlagNames.InvestigateFromStatus, new(true, Why), "olga", default);
        Assert.Equal(2, (await ChangesAsync()).Count);
    }

    [Fact]
    [Trait("Pitfall", "T-61")]
    public async Task While_the_store_is_away_the_last_known_values_hold_and_a_change_says_that_it_was_none()
    {
        var contexts = new Contexts(_database);
        var store = await StartAsync(contexts: contexts);
        await store.ChangeAsync(Flag, new(true, Why), "olga", default);

        contexts.IsAway = true;
        Assert.Equal(FlagChangeResult.StoreUnreachable, await store.ChangeAsync(Flag, new(false, Why), "olga", default));
        await _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(store.Current.IsStale), "it is said to be stale");
        Assert.True(IsOn(store));

        contexts.IsAway = false;
        await _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(!store.Current.IsStale), "it is read again");
    }

    [Fact]
    public async Task A_bug_that_one_look_meets_does_not_keep_the_next_from_being_made()
    {
        var contexts = new Contexts(_database);
        var store = await StartAsync(contexts: contexts);

        contexts.HasBug = true;
        await _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(store.Current.IsStale), "it is said to be stale");
        contexts.HasBug = false;

        await _clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(!store.Current.IsStale), "it is read again");
    }

    [Fact]
    [Trait("Pitfall", "T-59")]
    public async Task What_each_process_has_in_force_is_said_at_once_and_again_and_one_that_fell_silent_is_gone()
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
            "it says so again"
        );
        await store.ChangeAsync(FlagNames.InvestigateFromStatus, new(true, Why), "olga", default);
        Assert.Equal([(mine.Instance, true)], State(store).Acks.Select(ack => (ack.Instance, ack.Enabled)));
    }

    private static FlagState State(FlagStore store) => store.Current.Flags.Single(flag => flag.Name == Flag);

    private static bool IsOn(FlagStore store) => State(store).Enabled;

    private static FlagEnvironment Said(string? word) =>
        FlagEnvironment.Read(
            new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { [Flag] = word }).Build(),
            defaultOn: false
        );

    /// <param name="signals">False: it hears of no change.</param>
    private async Task<FlagStore> StartAsync(string? said = null, bool signals = true, Contexts? contexts = null)
    {
        contexts ??= new Contexts(_database);
        var heard = new SqliteSignals($"Data Source={_database.Location}", _clock, NullLogger<DatabaseSignals>.Instance);
        var store = new FlagStore(new FlagTable(contexts, Said(said), _clock), Said(said), heard, _clock, NullLogger<FlagStore>.Instance);
        _processes.Add((store, heard));
        await store.StartAsync(default);
        if (signals)
        {
            await heard.StartAsync(default);
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
        private int _made;

        public bool IsAway { get; set; }

        public bool HasBug { get; set; }

        /// <summary>What happens before the context after the next is made.</summary>
        public Action<AutoTicketDbContext>? BeforeSecond { get; set; }

        public AutoTicketDbContext CreateDbContext()
        {
            if (BeforeSecond is { } happen && ++_made == 2)
            {
                using var db = database.Open();
                happen(db);
            }

            return Create();
        }

        private AutoTicketDbContext Create() =>
            HasBug ? throw new InvalidOperationException("a bug")
            : !IsAway ? database.Open()
            : new SqliteDbContext(new DbContextOptionsBuilder<SqliteDbContext>().UseSqlite("Data Source=/nowhere/autoticket.db").Options);
    }
}
