using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using AutoTicket.Alerts;
using AutoTicket.Data;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Kit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Alerts;

/// <summary>The database is unreachable when a surface goes down.</summary>
public sealed class DatabaseOutageAlertTests
{
    [Fact]
    public async Task Without_the_database_the_operator_gets_one_DM_and_the_episode_is_stored_later()
    {
        await using var outage = await Outage.BeginAsync();
        outage.Surface.Answer(503);
        await outage.ExpectMessagesAsync("FIRING");
        Assert.Contains("pay", outage.Sandbox.Slack.Messages[0].Text, StringComparison.Ordinal);
        outage.Line.Restore();

        await using var db = outage.Database.Open();
        await Eventually.TrueAsync(
            async () => await db.AlertDeliveries.AnyAsync(d => d.Hook == "slack"),
            "the DM is recorded with the stored episode"
        );
        outage.Surface.Answer(200);
        await outage.ExpectMessagesAsync("FIRING", "RECOVERED");
    }

    [Fact]
    [Trait("Pitfall", "T-29")]
    public async Task A_recovery_during_a_database_outage_is_sent_once_and_stored_later()
    {
        await using var outage = await Outage.BeginAsync();
        outage.Surface.Answer(503);
        await outage.ExpectMessagesAsync("FIRING");
        outage.Surface.Answer(200);
        await outage.ExpectMessagesAsync("FIRING", "RECOVERED");
        outage.Line.Restore();

        await using var db = outage.Database.Open();
        await Eventually.TrueAsync(
            async () => await db.AlertDeliveries.AnyAsync(d => d.Hook == "slack" && d.Kind == DeliveryKind.Ended),
            "both DMs are recorded with the stored episode"
        );
        Assert.Equal(AlertStatus.Resolved, (await db.Alerts.SingleAsync()).Status);
        outage.Surface.Answer(503);
        await outage.ExpectMessagesAsync("FIRING", "RECOVERED", "FIRING");
        Assert.Equal(1, (await db.Alerts.AsNoTracking().SingleAsync()).Reopened);
    }

    /// <summary>The pager remembers nothing, like Slack's hook after a restart. Only stored deliveries prevent a second message.</summary>
    [Fact]
    public async Task What_began_and_ended_meanwhile_is_stored_as_delivered()
    {
        var pager = new Pager();
        await using var outage = await Outage.BeginAsync(services => services.AddSingleton<IAlertHook>(pager));
        outage.Surface.Answer(503);
        await outage.ExpectMessagesAsync("FIRING");
        outage.Surface.Answer(200);
        await outage.ExpectMessagesAsync("FIRING", "RECOVERED");
        outage.Line.Restore();

        await using var db = outage.Database.Open();
        await Eventually.TrueAsync(
            async () => await db.Alerts.AnyAsync() && !await db.AlertOutbox.AnyAsync(),
            "the episode is stored, and no hook has anything left to do"
        );
        Assert.Equal(
            [(NoticeKind.Firing, false), (NoticeKind.Ended, false)],
            pager.Delivered.Select(notice => (notice.Kind, notice.Alert.IsStored))
        );
        Assert.Equal(
            [("pager", DeliveryKind.Ended), ("pager", DeliveryKind.Firing), ("slack", DeliveryKind.Ended), ("slack", DeliveryKind.Firing)],
            (await db.AlertDeliveries.ToListAsync()).Select(d => (d.Hook, d.Kind)).OrderBy(d => d.Hook).ThenBy(d => $"{d.Kind}")
        );
    }

    [Fact]
    public async Task What_fires_again_meanwhile_is_sent_once()
    {
        await using var outage = await Outage.BeginAsync();
        outage.Line.Restore();
        outage.Surface.Answer(503);
        await outage.ExpectMessagesAsync("FIRING");
        outage.Surface.Answer(200);
        await outage.ExpectMessagesAsync("FIRING", "RECOVERED");
        outage.Line.Cut();
        outage.Surface.Answer(503);
        await outage.ExpectMessagesAsync("FIRING", "RECOVERED", "FIRING");
        outage.Line.Restore();

        await using var db = outage.Database.Open();
        await Eventually.TrueAsync(
            async () => await db.AlertDeliveries.AnyAsync(d => d.Hook == "slack" && d.Reopened == 1) && !await db.AlertOutbox.AnyAsync(),
            "what was delivered is stored with the episode"
        );
        await outage.ExpectMessagesAsync("FIRING", "RECOVERED", "FIRING");
    }

    /// <summary>For example, one network switch made both unreachable.</summary>
    [Fact]
    [Trait("Pitfall", "T-29")]
    public async Task A_surface_that_recovers_together_with_the_database_sends_its_recovery()
    {
        await using var outage = await Outage.BeginAsync();
        outage.Surface.Answer(503);
        await outage.ExpectMessagesAsync("FIRING");

        outage.Line.Restore();
        outage.Surface.Answer(200);

        await outage.ExpectMessagesAsync("FIRING", "RECOVERED");
    }

    /// <summary>Only this process lost the database. The leader in between has sent the end.</summary>
    [Fact]
    [Trait("Pitfall", "T-29")]
    public async Task A_former_leader_that_leads_again_sends_and_stores_nothing_of_its_own_outage()
    {
        await using var outage = await Outage.BeginAsync();
        outage.Surface.Answer(503);
        await outage.ExpectMessagesAsync("FIRING");
        var ended = SurfaceAlerts.Of(outage.Console.Get<StatusBoard>()).Select(o => o with { IsFiring = false }).ToList();
        var lease = outage.Console.Get<LeaderLease>();
        var follows = new TaskCompletionSource();
        lease.Changed += () => _ = !lease.WasLeader && follows.TrySetResult();
        await using var db = outage.Database.Open();
        await Eventually.TrueAsync(() => !lease.IsLeader, "its lease has expired");
        var until = TimeProvider.System.GetUtcNow().AddMinutes(5);
        await db
            .Leases.Where(lease => lease.Name == LeaderLease.Name)
            .ExecuteUpdateAsync(set =>
                set.SetProperty(lease => lease.Owner, "another")
                    .SetProperty(lease => lease.Fence, 7)
                    .SetProperty(lease => lease.Until, until)
            );
        outage.Line.Restore();
        await follows.Task.WaitAsync(Eventually.Patience);

        // The first observation when it leads again.
        await outage
            .Console.Get<InMemoryAlerts>()
            .StoreDeliveriesAsync(ended, [.. ended.Select(o => new Observed(o.AlertId, ObservationResult.NotOpen))], default);

        await outage.ExpectMessagesAsync("FIRING");
        Assert.Empty(await db.Alerts.ToListAsync());
    }

    [Fact]
    public async Task A_surface_that_flaps_during_the_outage_sends_one_recovery_per_quiet_period()
    {
        await using var outage = await Outage.BeginAsync();
        outage.Surface.Answer(503);
        await outage.ExpectMessagesAsync("FIRING");
        outage.Surface.Answer(200);
        await outage.ExpectMessagesAsync("FIRING", "RECOVERED");
        outage.Surface.Answer(503);
        await outage.ExpectMessagesAsync("FIRING", "RECOVERED", "FIRING");
        outage.Surface.Answer(200);
        await Eventually.TrueAsync(
            () => outage.Console.Get<StatusBoard>().Find("pay")?.Status == SurfaceStatus.Operational,
            "the surface is operational again"
        );
        await Task.Delay(TimeSpan.FromSeconds(3));

        await outage.ExpectMessagesAsync("FIRING", "RECOVERED", "FIRING");
    }

    [Fact]
    [Trait("Pitfall", "T-55")]
    public async Task Maintenance_that_was_in_force_before_the_outage_holds_the_DM_until_it_is_ended()
    {
        var path = new Uri("/api/surfaces/pay/maintenance", UriKind.Relative);
        await using var outage = await Outage.BeginAsync(before: async console =>
        {
            using var answer = await console.Http.PostAsJsonAsync(path, new { @for = "1h", reason = "a new disk" });
            answer.EnsureSuccessStatusCode();
        });
        outage.Surface.Answer(503);
        await Eventually.TrueAsync(
            () =>
                outage.Console.Get<StatusBoard>().Find("pay") is { Observed: SurfaceStatus.Down } pay
                && pay.History.Reverse().TakeWhile(reading => reading.Status == SurfaceStatus.Down).Count() >= 3,
            "three checks have failed"
        );
        Assert.Empty(outage.Sandbox.Slack.Messages);
        outage.Line.Restore();

        await using var db = outage.Database.Open();
        await Eventually.TrueAsync(
            () => db.Decisions.AnyAsync(decision => decision.Word == DecisionWord.InMaintenance && decision.Path == "slack"),
            "the alert is stored and held"
        );
        Assert.Empty(outage.Sandbox.Slack.Messages);
        using var ended = await outage.Console.Http.DeleteAsync(path);
        ended.EnsureSuccessStatusCode();
        await outage.ExpectMessagesAsync("FIRING");
    }

    [Fact]
    public async Task An_alert_before_the_flags_were_read_waits_for_the_database_and_the_flag_is_not_called_off()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(Kit.Database.Postgres);
        await using var db = database.Open();
        await using var transaction = await db.BeginAsync(default);
        await db.Database.ExecuteSqlAsync($"LOCK TABLE feature_flags IN ACCESS EXCLUSIVE MODE");
        await using var console = await ConsoleHost.StartAsync(
            database,
            sandbox,
            new Dictionary<string, string?> { ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1" }
        );
        var aggregator = console.Get<AlertAggregator>();
        await Eventually.TrueAsync(
            async () => await aggregator.ObserveAsync([AlertDriver.Say()], CancellationToken.None) is not null,
            "the console records the alert"
        );

        await using var reader = database.Open();
        await Eventually.TrueAsync(
            async () => await reader.Decisions.AnyAsync(decision => decision.Path == DecisionSources.Ticket),
            "the ticket is decided"
        );
        Assert.Equal(
            [DecisionWord.DatabaseDegraded],
            await reader
                .Decisions.Where(decision => decision.Path == DecisionSources.Ticket)
                .Select(decision => decision.Word)
                .ToListAsync()
        );

        await transaction.RollbackAsync();
        await Eventually.TrueAsync(() => sandbox.FreeScout.CreatedCount == 1, "the alert gets its ticket");
    }

    /// <summary>Delivers everything, also what has ended.</summary>
    private sealed class Pager : IAlertHook
    {
        public ConcurrentQueue<AlertNotice> Delivered { get; } = [];

        public string Name => "pager";

        public bool WantsEndedAlerts => true;

        public bool WorksWithoutDatabase => true;

        public async IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverAsync(
            IReadOnlyList<AlertNotice> notices,
            [EnumeratorCancellation] CancellationToken cancellationToken
        )
        {
            await Task.Yield();
            foreach (var notice in notices)
            {
                Delivered.Enqueue(notice);
                yield return [new HookOutcome(notice, IsDone: true, DecisionWord.Sent)];
            }
        }
    }

    /// <summary>A leader that has lost the connection to its database, with one surface that is up.</summary>
    private sealed class Outage(SandboxServer sandbox, TestDatabase database, TcpProxy line, ConsoleHost console) : IAsyncDisposable
    {
        public SandboxServer Sandbox => sandbox;

        public TestDatabase Database => database;

        public TcpProxy Line => line;

        public ConsoleHost Console => console;

        public SandboxSurface Surface => sandbox.Surface("pay");

        /// <param name="services">Changes what the console registers.</param>
        /// <param name="before">Runs before the connection is lost.</param>
        public static async Task<Outage> BeginAsync(Action<IServiceCollection>? services = null, Func<ConsoleHost, Task>? before = null)
        {
            var sandbox = await SandboxServer.StartAsync();
            var database = await TestDatabase.CreateAsync(Kit.Database.Postgres);
            var line = TcpProxy.To(database.Location);
            sandbox.Surface("pay").Answer(200);
            var settings = ConsoleHost.SurfaceSettings(0, "pay", sandbox.Surface("pay").Url);
            settings["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1";
            // On a busy machine shorter ones pass: the console's own network seems lost, or the surface slow.
            settings["Surfaces:0:Timeout"] = "00:01:00";
            settings["Surfaces:0:SlowAfter"] = "00:01:00";
            settings["Status:PollInterval"] = "00:00:00.3";
            settings["DATABASE_URL"] = line.Through(database.Location);
            var console = await ConsoleHost.StartAsync(database, sandbox, settings, services: services);
            await Eventually.TrueAsync(() => console.Get<LeaderLease>().IsLeader, "it leads");
            await (before?.Invoke(console) ?? Task.CompletedTask);
            line.Cut();
            return new(sandbox, database, line, console);
        }

        /// <summary>Waits until the operator has received exactly these DMs.</summary>
        public async Task ExpectMessagesAsync(params string[] words)
        {
            await Eventually.TrueAsync(() => sandbox.Slack.Messages.Count >= words.Length, $"the operator receives {words[^1]}");
            Assert.Equal(words, sandbox.Slack.Messages.Select(message => message.Text.Split(' ')[1]));
        }

        public async ValueTask DisposeAsync()
        {
            await console.DisposeAsync();
            await line.DisposeAsync();
            await database.DisposeAsync();
            await sandbox.DisposeAsync();
        }
    }
}
