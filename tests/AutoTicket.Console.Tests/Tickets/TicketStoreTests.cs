using System.Data.Common;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Mailbox;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.Options;

namespace AutoTicket.Tests.Tickets;

/// <summary>Rows of <c>tickets</c>: which filing gets the claim, when it has lost it, and what one transaction writes.</summary>
public sealed class TicketStoreTests
{
    private static readonly TicketingOptions Options = new();
    private static readonly TicketLink Link = new(1001, 1001, "https://tickets.example/conversation/1001", default);
    private readonly StillClock _clock = new();

    [Theory, BothDatabases]
    [Trait("Pitfall", "T-4")]
    public async Task Only_one_of_many_claims_of_one_key_succeeds(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);

        var taken = await Task.WhenAll(Enumerable.Range(0, 24).Select(_ => Task.Run(() => claims.ClaimAsync(Draft()))));

        var claim = Assert.Single(taken.Select(key => key.Claim).OfType<Ticket>());
        Assert.Equal(claim.Marker, Assert.Single(await RowsAsync(database)).Marker);
        Assert.NotNull((await claims.ClaimAsync(Draft("another"))).Claim);
    }

    [Theory, BothDatabases]
    public async Task A_blocking_ticket_prevents_a_claim_unless_FreeScout_called_it_closed(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        var first = (await claims.ClaimAsync(Draft())).Claim!;
        Assert.True(await claims.ConfirmAsync(first, Link, isOpen: true, adopted: false));

        Assert.Null((await claims.ClaimAsync(Draft())).Claim);
        Assert.Equal(first.Marker, Assert.Single((await claims.ReadAsync(Draft())).Blocking).Marker);
        var second = (await claims.ClaimAsync(Draft(), evenIfBlocked: true)).Claim!;
        Assert.True(await claims.DeleteAsync(second));

        _clock.Advance(Options.Window);
        Assert.Null((await claims.ClaimAsync(Draft() with { IsForAlert = true })).Claim);
        Assert.NotNull((await claims.ClaimAsync(Draft())).Claim);
        Assert.Equal(first.Marker, (await claims.ReadAsync(Draft())).Latest?.Marker);
    }

    [Theory, BothDatabases]
    public async Task Blocking_tickets_are_read_newest_first_and_past_the_window_only_the_latest(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        var first = await FileAsync(claims);
        var second = (await claims.ClaimAsync(Draft(), evenIfBlocked: true)).Claim!;
        Assert.True(await claims.ConfirmAsync(second, Link with { Id = 1002 }, isOpen: true, adopted: false));

        var (blocking, latest) = await claims.ReadAsync(Draft());
        Assert.Equal([second.Marker, first.Marker], blocking.Select(ticket => ticket.Marker));
        Assert.Equal(second.Marker, latest?.Marker);

        _clock.Advance(Options.Window);
        (_, blocking, latest) = await claims.ClaimAsync(Draft());
        Assert.Empty(blocking);
        Assert.Equal(second.Marker, latest?.Marker);
    }

    /// <summary>The claim decides in SQL, so it must agree with <see cref="FilingRules.Blocks"/>.</summary>
    [Theory, BothDatabases]
    public async Task The_database_and_the_rules_agree_on_what_blocks_a_filing(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        var now = _clock.GetUtcNow();
        var cases = (
            from state in Enum.GetValues<TicketState>()
            from minutes in (double[])[0, 59.9, 60, 90]
            from isKnown in (bool[])[true, false]
            from isForAlert in (bool[])[true, false]
            select (state, minutes, isKnown, isForAlert)
        ).ToList();
        var drafts = cases.ConvertAll(one => Draft($"surface-{cases.IndexOf(one)}") with { IsForAlert = one.isForAlert });
        await using (var db = database.Open())
        {
            db.Tickets.AddRange(
                cases.Zip(
                    drafts,
                    (one, draft) =>
                        new Ticket
                        {
                            Marker = Guid.NewGuid().ToString("N"),
                            DedupKey = draft.DedupKey,
                            Severity = draft.Severity,
                            State = one.state,
                            FiledBy = draft.FiledBy,
                            AuditAction = draft.AuditAction,
                            Tag = draft.Tag,
                            Subject = draft.Subject,
                            PostedAt = now.AddMinutes(-one.minutes),
                            ConversationId = one.isKnown ? 5000 + cases.IndexOf(one) : null,
                        }
                )
            );
            await db.SaveChangesAsync();
        }

        var rows = (await RowsAsync(database)).ToDictionary(row => row.DedupKey);
        foreach (var draft in drafts)
        {
            var blocks = FilingRules.Blocks(rows[draft.DedupKey], draft.IsForAlert, now, Options.Window);
            Assert.Equal(blocks, (await claims.ReadAsync(draft)).Blocking.Any());
            Assert.Equal(blocks, (await claims.ClaimAsync(draft)).Claim is null);
        }
    }

    [Theory, BothDatabases]
    [Trait("Pitfall", "T-12")]
    public async Task A_claim_whose_commit_was_not_confirmed_is_deleted_before_the_next_one_for_nobody_posted_it(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var contexts = new InterruptedContexts(database);
        var claims = new TicketStore(contexts, Microsoft.Extensions.Options.Options.Create(Options), _clock);
        var older = await FileAsync(claims);
        _clock.Advance(Options.Window);

        foreach (var isTakenOver in new[] { false, true })
        {
            contexts.IsInterrupted = true;
            await Assert.ThrowsAnyAsync<Exception>(() => claims.ClaimAsync(Draft()));
            contexts.IsInterrupted = false;
            var lost = (await RowsAsync(database)).Single(row => row.Marker != older.Marker);
            if (isTakenOver)
            {
                // As the sweep does after the claim's lease.
                _clock.Advance(Options.Lease);
                lost = (await claims.TakeOverAsync(lost, default))!;
                Assert.True(await claims.LeaveUnconfirmedAsync(lost, "FreeScout does not have it yet.", lookupWasEmpty: true, default));
            }

            var claim = (await claims.ClaimAsync(Draft())).Claim!;
            Assert.NotEqual(lost.Marker, claim.Marker);
            Assert.True(await claims.DeleteAsync(claim));
        }
    }

    /// <summary>While it is interrupted, the database commits a claim, and then answers no more.</summary>
    private sealed class InterruptedContexts(TestDatabase database) : DbCommandInterceptor, IDbContextFactory<AutoTicketDbContext>
    {
        public bool IsInterrupted { get; set; }

        public AutoTicketDbContext CreateDbContext()
        {
            using var db = database.Open();
            var options = db.GetService<IDbContextOptions>();
            return database.Kind == Database.Postgres
                ? new PostgresDbContext(With<PostgresDbContext>(options))
                : new SqliteDbContext(With<SqliteDbContext>(options));
        }

        // The statements of a claim are not EF's, only the query after them is.
        public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command,
            CommandEventData eventData,
            InterceptionResult<DbDataReader> result,
            CancellationToken cancellationToken = default
        ) => IsInterrupted ? throw new TimeoutException() : ValueTask.FromResult(result);

        private DbContextOptions<T> With<T>(IDbContextOptions options)
            where T : DbContext => new DbContextOptionsBuilder<T>((DbContextOptions<T>)options).AddInterceptors(this).Options;
    }

    /// <summary>Only the unique index can reject this claim, because FreeScout was asked before the other one existed.</summary>
    [Theory, BothDatabases]
    public async Task A_filing_that_saw_the_ticket_closed_gets_no_claim_beside_another_claim(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        var claim = (await claims.ClaimAsync(Draft())).Claim!;

        Assert.Null((await claims.ClaimAsync(Draft(), evenIfBlocked: true)).Claim);

        Assert.Equal(claim.Marker, Assert.Single(await RowsAsync(database)).Marker);
    }

    [Theory, BothDatabases]
    public async Task Simultaneous_filings_of_different_keys_each_get_their_own_ticket(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        var surfaces = Enumerable.Range(0, 24).Select(n => $"surface-{n}").ToList();

        var filed = await Task.WhenAll(
            surfaces.Select(
                (surface, n) =>
                    Task.Run(async () =>
                    {
                        var claim = (await claims.ClaimAsync(Draft(surface))).Claim!;
                        Assert.Equal(claim.Marker, Assert.Single((await claims.ReadAsync(Draft(surface))).Blocking).Marker);
                        Assert.True(await claims.ConfirmAsync(claim, Link with { Id = 2000 + n }, isOpen: true, adopted: false));
                        return claim;
                    })
            )
        );

        Assert.Equal(surfaces, filed.Select(claim => claim.SurfaceKey));
        Assert.Equal(
            filed.Select((claim, n) => (claim.Marker, (long?)(2000 + n))).Order(),
            (await RowsAsync(database)).Select(row => (row.Marker, row.ConversationId)).Order()
        );
        await using var db = database.Open();
        Assert.Equal(24, await db.AuditLog.CountAsync());
    }

    /// <summary>A batch that waits for its first key must not hold a later one, or two consoles could deadlock.</summary>
    [Fact]
    public async Task Simultaneous_filings_claim_in_one_order()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        var claims = Claims(database);
        var keys = new[] { Draft("a"), Draft("b") }.OrderBy(draft => draft.DedupKey, StringComparer.Ordinal).ToList();
        await using var first = database.Open();
        await using var other = database.Open();
        await using var probe = database.Open();
        await using var heldFirst = await first.BeginAsync(default);
        await using var heldOther = await other.BeginAsync(default);
        await TakeAsync(first, Draft("other"));
        await TakeAsync(other, keys[0]);

        // While an earlier claim waits, these two share a batch.
        var before = claims.ClaimAsync(Draft("other"));
        await WaitingAsync(probe);
        var both = Task.WhenAll(claims.ClaimAsync(keys[1]), claims.ClaimAsync(keys[0]));
        await heldFirst.RollbackAsync();
        Assert.NotNull((await before).Claim);
        await WaitingAsync(probe);

        await using (await probe.BeginAsync(default))
        {
            await probe.Database.ExecuteSqlAsync($"SET LOCAL lock_timeout = '2s'");
            await TakeAsync(probe, keys[1]);
        }

        await heldOther.RollbackAsync();
        Assert.All(await both, key => Assert.NotNull(key.Claim));
    }

    /// <summary>The claim's own statement can't see this ticket: it was committed after the statement began.</summary>
    [Fact]
    public async Task A_ticket_that_was_filed_while_the_claim_waited_still_blocks_it()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        var claims = Claims(database);
        await using var other = database.Open();
        await using var probe = database.Open();
        await using var held = await other.BeginAsync(default);
        await TakeAsync(other, Draft(), _clock.GetUtcNow());

        var claiming = claims.ClaimAsync(Draft());
        await WaitingAsync(probe);
        await other.Tickets.ExecuteUpdateAsync(set =>
            set.SetProperty(row => row.State, TicketState.Open).SetProperty(row => row.ConversationId, Link.Id)
        );
        await held.CommitAsync();

        var key = await claiming;
        Assert.NotNull(key.Claim);
        Assert.Equal(Link.Id, Assert.Single(key.Blocking).ConversationId);
    }

    private static async Task TakeAsync(AutoTicketDbContext db, TicketDraft draft, DateTimeOffset postedAt = default)
    {
        db.Tickets.Add(
            new Ticket
            {
                Marker = Guid.NewGuid().ToString("N"),
                DedupKey = draft.DedupKey,
                Severity = draft.Severity,
                State = TicketState.Filing,
                FiledBy = draft.FiledBy,
                AuditAction = draft.AuditAction,
                Tag = draft.Tag,
                Subject = draft.Subject,
                PostedAt = postedAt,
            }
        );
        await db.SaveChangesAsync();
    }

    /// <summary>Two consoles that look up the same lost answers must not deadlock either.</summary>
    [Fact]
    public async Task Simultaneous_confirmations_are_written_in_one_order()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        var claims = Claims(database);
        var before = (await claims.ClaimAsync(Draft("before"))).Claim!;
        var (first, second) = ((await claims.ClaimAsync(Draft("first"))).Claim!, (await claims.ClaimAsync(Draft("second"))).Claim!);
        await using var one = database.Open();
        await using var other = database.Open();
        await using var probe = database.Open();
        await using var heldBefore = await one.BeginAsync(default);
        await using var heldFirst = await other.BeginAsync(default);
        await LockAsync(one, before);
        await LockAsync(other, first);

        // While an earlier confirmation waits, these two share a batch.
        var confirmedBefore = claims.ConfirmAsync(before, Link with { Id = 1000 }, isOpen: true, adopted: true);
        await WaitingAsync(probe);
        var both = Task.WhenAll(
            claims.ConfirmAsync(second, Link with { Id = 1002 }, isOpen: true, adopted: true),
            claims.ConfirmAsync(first, Link with { Id = 1001 }, isOpen: true, adopted: true)
        );
        await heldBefore.RollbackAsync();
        Assert.True(await confirmedBefore);
        await WaitingAsync(probe);

        await using (await probe.BeginAsync(default))
        {
            await LockAsync(probe, second);
        }

        await heldFirst.RollbackAsync();
        Assert.All(await both, Assert.True);
        Assert.Equal([1000, 1001, 1002], (await RowsAsync(database)).Select(row => row.ConversationId!.Value));
        Assert.Equal(3, await probe.AuditLog.CountAsync());

        static Task<int> LockAsync(AutoTicketDbContext db, Ticket ticket) =>
            db.Database.ExecuteSqlAsync($"SELECT 1 FROM tickets WHERE id = {ticket.Id} FOR UPDATE NOWAIT");
    }

    [Theory, BothDatabases]
    public async Task A_ticket_that_two_filings_confirm_at_once_is_recorded_once(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        var (first, claim) = ((await claims.ClaimAsync(Draft("first"))).Claim!, (await claims.ClaimAsync(Draft())).Claim!);

        // While the first confirmation is written, the others share a batch.
        var before = claims.ConfirmAsync(first, Link with { Id = 1000 }, isOpen: true, adopted: false);
        var both = await Task.WhenAll(
            claims.ConfirmAsync(claim, Link, isOpen: true, adopted: true),
            claims.ConfirmAsync(claim, Link, isOpen: true, adopted: false)
        );

        Assert.True(await before);
        Assert.Equal([true, false], both);
        await using var db = database.Open();
        Assert.Equal(2, await db.AuditLog.CountAsync());
    }

    [Theory, BothDatabases]
    public async Task The_database_itself_refuses_a_second_claim_and_a_second_row_of_a_ticket(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claim = (await Claims(database).ClaimAsync(Draft())).Claim!;
        foreach (var state in (TicketState[])[TicketState.Open, TicketState.Closed, TicketState.Closed, TicketState.Open])
        {
            await InsertAsync(state);
        }

        await Assert.ThrowsAsync<DbUpdateException>(() => InsertAsync(TicketState.Filing));
        await Assert.ThrowsAsync<DbUpdateException>(() => InsertAsync(TicketState.Unconfirmed));
        await InsertAsync(TicketState.Open, conversation: 1001);
        await Assert.ThrowsAsync<DbUpdateException>(() => InsertAsync(TicketState.Open, conversation: 1001));
        Assert.Equal(6, (await RowsAsync(database)).Count);

        async Task InsertAsync(TicketState state, long? conversation = null)
        {
            await using var db = database.Open();
            db.Tickets.Add(claim with { Id = 0, Marker = Guid.NewGuid().ToString("N"), State = state, ConversationId = conversation });
            await db.SaveChangesAsync();
        }
    }

    [Theory, BothDatabases]
    public async Task An_unexpired_claim_is_not_taken_over_and_an_expired_one_is_by_one_filing(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        var claim = (await claims.ClaimAsync(Draft())).Claim!;
        _clock.Advance(Options.Lease - TimeSpan.FromMilliseconds(1));
        Assert.Null(await claims.TakeOverAsync(claim, default));

        _clock.Advance(TimeSpan.FromMilliseconds(1));
        var taken = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => claims.TakeOverAsync(claim, default))));

        Assert.Equal(claim.Attempt + 1, Assert.Single(taken.OfType<Ticket>()).Attempt);
        Assert.Null(await claims.TakeOverAsync(Assert.Single(await RowsAsync(database)), default));
    }

    [Theory, BothDatabases]
    public async Task A_filing_that_lost_its_claim_changes_nothing(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        var stale = (await claims.ClaimAsync(Draft())).Claim!;
        _clock.Advance(Options.Lease);
        Assert.NotNull(await claims.TakeOverAsync(stale, default));
        var before = Assert.Single(await RowsAsync(database));

        Assert.False(await claims.DeleteAsync(stale));
        Assert.False(await claims.LeaveUnconfirmedAsync(stale, "no", lookupWasEmpty: true, default));
        Assert.Null(await claims.RepostAsync(stale, default));
        Assert.Null(await claims.TakeOverAsync(stale, default));

        Assert.Equal(before, Assert.Single(await RowsAsync(database)));
        Assert.False(_clock.GetUtcNow() < claims.PostUntil(stale));
    }

    /// <summary>Its count of look-ups is outdated, so it would post too early.</summary>
    [Theory, BothDatabases]
    public async Task A_filing_with_an_outdated_row_does_not_take_over_a_lost_answer(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        await claims.LeaveUnconfirmedAsync((await claims.ClaimAsync(Draft())).Claim!, "lost", lookupWasEmpty: false, default);
        var read = Assert.Single((await claims.ReadAsync(Draft())).Blocking);
        var faster = (await claims.TakeOverAsync(read, default))!;
        Assert.True(await claims.LeaveUnconfirmedAsync(faster, "not yet", lookupWasEmpty: true, default));

        Assert.Null(await claims.TakeOverAsync(read, default));

        Assert.NotNull(await claims.TakeOverAsync(Assert.Single(await RowsAsync(database)), default));
    }

    [Fact]
    public async Task A_claim_allows_a_post_while_a_whole_call_fits_into_its_lease()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        var claims = Claims(database);
        var claim = (await claims.ClaimAsync(Draft())).Claim!;

        _clock.Advance(Options.Lease - Options.ClickBudget - TimeSpan.FromMilliseconds(1));
        Assert.True(_clock.GetUtcNow() < claims.PostUntil(claim));
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.False(_clock.GetUtcNow() < claims.PostUntil(claim));

        var again = (await claims.RepostAsync(claim, default))!;
        Assert.True(_clock.GetUtcNow() < claims.PostUntil(again));
        Assert.Equal(claim.Marker, again.Marker);
    }

    [Theory, BothDatabases]
    [Trait("Pitfall", "T-12")]
    public async Task A_late_answer_and_a_look_up_record_the_ticket_once(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        var late = (await claims.ClaimAsync(Draft())).Claim!;
        _clock.Advance(Options.Lease);
        var looking = (await claims.TakeOverAsync(late, default))!;

        var confirmed = await Task.WhenAll(
            Task.Run(() => claims.ConfirmAsync(late, Link, isOpen: true, adopted: false)),
            Task.Run(() => claims.ConfirmAsync(looking, Link, isOpen: true, adopted: true))
        );

        Assert.Single(confirmed, done => done);
        Assert.False(await claims.DeleteAsync(looking));
        Assert.Equal((TicketState.Open, Link.Id), (Assert.Single(await RowsAsync(database)).State, Link.Id));
        await using var db = database.Open();
        Assert.Equal(AuditActions.InvestigateFiled, (await db.AuditLog.SingleAsync()).Action);
    }

    [Theory, BothDatabases]
    [Trait("Pitfall", "T-64")]
    public async Task No_ticket_is_recorded_without_its_audit_row(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        var claim = (await claims.ClaimAsync(Draft())).Claim!;
        await ExecuteAsync("ALTER TABLE audit_log RENAME TO away");

        await Assert.ThrowsAnyAsync<Exception>(() => claims.ConfirmAsync(claim, Link, isOpen: true, adopted: false));
        Assert.Equal(
            (TicketState.Filing, null),
            (Assert.Single(await RowsAsync(database)) is var row ? row.State : default, row.ConversationId)
        );

        await ExecuteAsync("ALTER TABLE away RENAME TO audit_log");
        Assert.True(await claims.ConfirmAsync(claim, Link, isOpen: true, adopted: false));
        Assert.Equal(
            (TicketState.Open, Link.Id),
            (Assert.Single(await RowsAsync(database)) is var now ? now.State : default, now.ConversationId)
        );

        async Task ExecuteAsync(string sql)
        {
            await using var db = database.Open();
            await db.Database.ExecuteSqlRawAsync(sql);
        }
    }

    [Theory, BothDatabases]
    public async Task A_ticket_that_was_closed_before_it_was_confirmed_is_recorded_as_closed(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        await FileAsync(claims);
        var claim = (await claims.ClaimAsync(Draft("another"))).Claim!;

        Assert.True(await claims.ConfirmAsync(claim, Link with { Id = 1002 }, isOpen: false, adopted: true));

        var rows = await RowsAsync(database);
        Assert.Equal((TicketState.Open, null), (rows[0].State, rows[0].ClosedAt));
        Assert.Equal((TicketState.Closed, _clock.GetUtcNow()), (rows[1].State, rows[1].ClosedAt));
    }

    [Theory, BothDatabases]
    public async Task A_ticket_that_lost_its_conversation_is_looked_up_and_recorded_as_reconciled(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        await FileAsync(claims);
        await claims.MarkIdLostAsync(Assert.Single(await RowsAsync(database)), default);
        Assert.Equal(TicketState.Open, Assert.Single(await RowsAsync(database)).State);
        await LoseConversationAsync(database);

        await claims.MarkIdLostAsync(Assert.Single(await RowsAsync(database)), default);

        var lost = Assert.Single(await RowsAsync(database));
        Assert.Equal(TicketState.Unconfirmed, lost.State);
        Assert.True(await claims.ConfirmAsync((await claims.TakeOverAsync(lost, default))!, Link, isOpen: true, adopted: true));
        Assert.Equal((null, true), Assert.Single(await RowsAsync(database)) is var found ? (found.Problem, found.TagsPending) : default);
        await using var db = database.Open();
        var actions = await db.AuditLog.OrderBy(entry => entry.Id).Select(entry => entry.Action).ToListAsync();
        Assert.Equal([AuditActions.InvestigateFiled, AuditActions.TicketReconciled], actions);
    }

    [Theory, BothDatabases]
    public async Task A_ticket_that_lost_its_conversation_waits_while_another_filing_holds_its_key(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        await FileAsync(claims);
        await LoseConversationAsync(database);
        Assert.NotNull((await claims.ClaimAsync(Draft(), evenIfBlocked: true)).Claim);
        var before = await RowsAsync(database);

        await claims.MarkIdLostAsync(before[0], default);

        Assert.Equal(before, await RowsAsync(database));
    }

    [Theory, BothDatabases]
    public async Task A_second_post_is_recorded_and_its_look_ups_are_counted_anew(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        await claims.LeaveUnconfirmedAsync((await claims.ClaimAsync(Draft())).Claim!, "not yet", lookupWasEmpty: true, default);
        var claim = (await claims.TakeOverAsync(Assert.Single(await RowsAsync(database)), default))!;
        _clock.Advance(TimeSpan.FromMinutes(2));

        Assert.NotNull(await claims.RepostAsync(claim, default));

        var posted = Assert.Single(await RowsAsync(database));
        Assert.Equal((_clock.GetUtcNow(), _clock.GetUtcNow()), (posted.PostedAt, posted.RepostedAt));
        Assert.Equal((0, null), (posted.EmptyLookups, posted.LookedUpAt));
    }

    [Theory, BothDatabases]
    public async Task Empty_look_ups_count_only_when_they_are_spaced(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        var claim = (await claims.ClaimAsync(Draft())).Claim!;
        var counts = new List<int>();
        foreach (var pause in (double[])[0, 1, 3.9, 0.2, 5])
        {
            _clock.Advance(TimeSpan.FromSeconds(pause));
            await claims.LeaveUnconfirmedAsync(claim, "not yet", lookupWasEmpty: true, default);
            var row = Assert.Single((await claims.ReadAsync(Draft())).Blocking);
            counts.Add(row.EmptyLookups);
            claim = (await claims.TakeOverAsync(row, default))!;
        }

        Assert.Equal([1, 1, 1, 2, 3], counts);

        // A failed look-up does not count.
        _clock.Advance(TimeSpan.FromSeconds(10));
        await claims.LeaveUnconfirmedAsync(claim, "503", lookupWasEmpty: false, default);
        Assert.Equal(3, Assert.Single(await RowsAsync(database)).EmptyLookups);
    }

    [Theory, BothDatabases]
    public async Task An_answer_of_FreeScout_changes_only_the_row_of_its_ticket(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        await FileAsync(claims);
        await FileAsync(claims, "another", 1002);
        await CopyAsync(database, Link.Id, 1002);
        var another = (await RowsAsync(database))[1];
        var olga = JsonSerializer.SerializeToElement(new { firstName = "Olga" });

        await SayAsync(
            new Conversation
            {
                Id = Link.Id,
                Status = "closed",
                ClosedByUser = olga,
            }
        );
        Assert.Equal((TicketState.Closed, _clock.GetUtcNow(), null, "Olga"), await OursAsync());
        Assert.Equal([1002], await CopiesAsync(database));

        await SayAsync(new Conversation { Id = Link.Id, Status = "active" });
        Assert.Equal((TicketState.Open, null, _clock.GetUtcNow(), "Olga"), await OursAsync());

        await SayAsync(null);
        Assert.Equal((TicketState.Closed, _clock.GetUtcNow(), null, null), await OursAsync());
        Assert.Equal(another, (await RowsAsync(database))[1]);

        async Task SayAsync(Conversation? found)
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            await claims.RecordAnswerAsync((await RowsAsync(database))[0], found, default);
        }

        async Task<(TicketState, DateTimeOffset?, DateTimeOffset?, string?)> OursAsync() =>
            (await RowsAsync(database))[0] is var row ? (row.State, row.ClosedAt, row.ReopenedAt, row.ResolvedBy) : default;
    }

    [Fact]
    public async Task An_answer_that_changes_nothing_needs_no_statement()
    {
        var closed = new Conversation { Id = Link.Id, Status = "closed" };
        TicketStore claims;
        Ticket row;
        await using (var database = await TestDatabase.CreateAsync(Database.Sqlite))
        {
            claims = Claims(database);
            await claims.RecordAnswerAsync(await FileAsync(claims) with { State = TicketState.Open }, closed, default);
            row = Assert.Single(await RowsAsync(database));
            Assert.Equal(TicketState.Closed, row.State);
        }

        // The database is gone: a statement would throw.
        await claims.RecordAnswerAsync(row, closed, default);
    }

    [Theory, BothDatabases]
    public async Task Only_a_change_of_the_ticket_as_it_was_read_is_reported(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        var (open, closed) = (new Conversation { Id = Link.Id, Status = "active" }, new Conversation { Id = Link.Id, Status = "closed" });
        await FileAsync(claims);
        var asRead = Assert.Single(await RowsAsync(database));
        var claim = (await claims.ClaimAsync(Draft("another"))).Claim!;

        Assert.Null(await SetOpenAsync(asRead, open));
        Assert.Null(await SetOpenAsync(claim, closed));
        Assert.Equal([TicketState.Open, TicketState.Filing], (await RowsAsync(database)).Select(row => row.State));
        Assert.Equal<TicketState?>(TicketState.Closed, await SetOpenAsync(asRead, closed));
        Assert.Null(await SetOpenAsync(asRead, closed));

        async Task<TicketState?> SetOpenAsync(Ticket ticket, Conversation found)
        {
            await using var db = database.Open();
            return await TicketStore.SetOpenAsync(db, ticket, found, _clock.GetUtcNow(), default);
        }
    }

    [Theory, BothDatabases]
    public async Task A_changed_severity_needs_new_tags_and_the_same_one_does_not(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        await FileAsync(claims);
        await FileAsync(claims, "another", 1002);
        await using (var db = database.Open())
        {
            await db.Tickets.ExecuteUpdateAsync(set => set.SetProperty(ticket => ticket.TagsPending, false));
        }

        await claims.SetSeverityAsync(Link.Id, Severity.P2, default);
        Assert.Equal([(Severity.P2, false), (Severity.P2, false)], await SeveritiesAsync());
        await claims.SetSeverityAsync(Link.Id, Severity.P1, default);
        Assert.Equal([(Severity.P1, true), (Severity.P2, false)], await SeveritiesAsync());

        async Task<IEnumerable<(Severity, bool)>> SeveritiesAsync() =>
            (await RowsAsync(database)).Select(row => (row.Severity, row.TagsPending));
    }

    [Theory, BothDatabases]
    public async Task An_outdated_answer_of_FreeScout_does_not_close_a_reopened_ticket(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var claims = Claims(database);
        var (open, closed) = (new Conversation { Id = Link.Id, Status = "active" }, new Conversation { Id = Link.Id, Status = "closed" });
        await FileAsync(claims);
        Assert.NotNull((await claims.ClaimAsync(Draft("another"))).Claim);
        var asRead = (await RowsAsync(database))[0];
        _clock.Advance(TimeSpan.FromSeconds(1));
        await claims.RecordAnswerAsync(asRead, closed, default);
        Assert.Equal(TicketState.Closed, (await RowsAsync(database))[0].State);
        _clock.Advance(TimeSpan.FromSeconds(1));
        await claims.RecordAnswerAsync((await RowsAsync(database))[0], open, default);
        await CopyAsync(database, Link.Id);

        await claims.RecordAnswerAsync(asRead, closed, default);

        Assert.Equal(TicketState.Open, (await RowsAsync(database))[0].State);
        Assert.Equal([Link.Id], await CopiesAsync(database));
    }

    private TicketStore Claims(TestDatabase database) =>
        new(new Contexts(database), Microsoft.Extensions.Options.Options.Create(Options), _clock);

    /// <summary>Returns once a statement waits for a row that another transaction holds.</summary>
    private static Task WaitingAsync(AutoTicketDbContext probe) =>
        Eventually.TrueAsync(
            () =>
                probe
                    .Database.SqlQuery<bool>(
                        $"""
                        SELECT count(*) > 0 AS "Value" FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock'
                        """
                    )
                    .SingleAsync(),
            "a statement waits for a lock"
        );

    private static async Task<Ticket> FileAsync(TicketStore claims, string surface = "pay", long conversation = 1001)
    {
        var claim = (await claims.ClaimAsync(Draft(surface))).Claim!;
        Assert.True(await claims.ConfirmAsync(claim, Link with { Id = conversation }, isOpen: true, adopted: false));
        return claim;
    }

    private static async Task LoseConversationAsync(TestDatabase database)
    {
        await using var db = database.Open();
        await db.Tickets.ExecuteUpdateAsync(set => set.SetProperty(ticket => ticket.ConversationId, (long?)null));
    }

    /// <summary>Adds conversations to the dashboard's copy.</summary>
    private static async Task CopyAsync(TestDatabase database, params long[] ids)
    {
        await using var db = database.Open();
        db.OpenConversations.AddRange(
            ids.Select(id => new OpenConversation
            {
                Id = id,
                Number = id,
                Subject = "",
                Status = "active",
                Tags = "",
            })
        );
        await db.SaveChangesAsync();
    }

    private static async Task<List<long>> CopiesAsync(TestDatabase database)
    {
        await using var db = database.Open();
        return await db.OpenConversations.Select(copy => copy.Id).ToListAsync();
    }

    private static TicketDraft Draft(string surface = "pay") =>
        new(
            AlertIdentity.OfSurface(surface),
            surface,
            Severity.P2,
            TicketTags.Status,
            AuditActions.InvestigateFiled,
            "olga",
            $"{surface} is down",
            []
        );

    private static async Task<List<Ticket>> RowsAsync(TestDatabase database)
    {
        await using var db = database.Open();
        return await db.Tickets.AsNoTracking().OrderBy(ticket => ticket.Id).ToListAsync();
    }

    private sealed class Contexts(TestDatabase database) : IDbContextFactory<AutoTicketDbContext>
    {
        public AutoTicketDbContext CreateDbContext() => database.Open();
    }
}
