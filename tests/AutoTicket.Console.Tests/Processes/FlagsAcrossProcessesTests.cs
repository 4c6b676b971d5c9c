using System.Net;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Flags;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace AutoTicket.Tests.Processes;

public sealed class FlagsAcrossProcessesTests(TwoConsoles consoles) : IClassFixture<TwoConsoles>
{
    private static readonly TimeSpan Soon = Eventually.OnABusyMachine(TimeSpan.FromSeconds(1));

    [Fact]
    [Trait("Pitfall", "T-57")]
    [Trait("Pitfall", "T-58")]
    public async Task A_flip_in_one_process_is_in_force_in_the_other_within_a_second()
    {
        for (var flip = 0; flip < 4; flip++)
        {
            var to = flip % 2 == 0;
            Assert.Equal(HttpStatusCode.OK, (await consoles.A.SetFlagAsync(FlagNames.AlertsAutoTicket, to)).Status);
            await Eventually.TrueAsync(
                async () => await consoles.B.IsOnAsync(FlagNames.AlertsAutoTicket) == to,
                "the other process reads the flag",
                Soon
            );
        }
    }

    [Fact]
    [Trait("Pitfall", "T-57")]
    public async Task The_kill_switch_thrown_in_one_process_stops_the_clicks_in_the_other()
    {
        var surface = consoles.NextSurface();
        await consoles.A.SetFlagAsync(FlagNames.InvestigateFromStatus, enabled: false);
        await Eventually.TrueAsync(
            async () => !await consoles.B.IsOnAsync(FlagNames.InvestigateFromStatus),
            "the other process reads the flag",
            Soon
        );

        var refused = await consoles.B.InvestigateAsync(surface);

        Assert.Equal(HttpStatusCode.Forbidden, refused.Status);
        Assert.Equal(0, consoles.All.PostsFor(surface));
        await consoles.A.SetFlagAsync(FlagNames.InvestigateFromStatus, enabled: true);
        await Eventually.TrueAsync(
            async () => (await consoles.B.InvestigateAsync(surface)).Disposition == "filed",
            "clicks are accepted again"
        );
    }

    [Fact]
    [Trait("Pitfall", "T-59")]
    public async Task A_flip_is_audited_with_actor_reason_before_and_after_and_every_process_logs_the_value()
    {
        await consoles.A.SetFlagAsync(FlagNames.AlertsAutoTicket, enabled: false);
        var reason = $"because {Guid.NewGuid():N}";

        await consoles.A.SetFlagAsync(FlagNames.AlertsAutoTicket, enabled: true, reason);

        var entry = Assert.Single(await ChangesAsync(FlagNames.AlertsAutoTicket), entry => entry.Reason == reason);
        Assert.Equal(("developer", false, true), (entry.Actor, entry.Before, entry.After));
        foreach (var console in new IConsole[] { consoles.A, consoles.B })
        {
            await Eventually.TrueAsync(
                async () =>
                    (await console.FlagAsync(FlagNames.AlertsAutoTicket))
                        .GetProperty("acks")
                        .EnumerateArray()
                        .Count(ack => ack.GetProperty("enabled").GetBoolean()) == 2,
                "both processes show that it is on"
            );
        }
    }

    [Fact]
    [Trait("Pitfall", "T-59")]
    public async Task A_flag_set_in_the_environment_is_audited_once_for_both_processes()
    {
        var entry = Assert.Single(await ChangesAsync(FlagNames.InvestigateFromStatus), entry => entry.Actor == "environment");

        Assert.Equal((false, true), (entry.Before, entry.After));
    }

    [Fact]
    [Trait("Pitfall", "T-60")]
    public async Task A_scheduled_change_that_was_moved_fires_once_and_at_the_new_time_only()
    {
        await consoles.A.SetFlagAsync(FlagNames.AlertsAutoTicket, enabled: false);
        var reason = $"at last {Guid.NewGuid():N}";
        // Far enough away that a busy machine moves the change before it is due.
        var first = TimeProvider.System.GetUtcNow() + TimeSpan.FromSeconds(15);
        var moved = first + TimeSpan.FromSeconds(1.5);

        await consoles.A.SetFlagAsync(FlagNames.AlertsAutoTicket, enabled: true, reason, first);
        Assert.Equal(HttpStatusCode.OK, (await consoles.B.SetFlagAsync(FlagNames.AlertsAutoTicket, enabled: true, reason, moved)).Status);
        await Eventually.TrueAsync(() => consoles.A.IsOnAsync(FlagNames.AlertsAutoTicket), "the scheduled change is applied");

        var flag = await consoles.A.FlagAsync(FlagNames.AlertsAutoTicket);
        Assert.InRange(flag.GetProperty("changed_at").GetDateTimeOffset(), moved, moved + Soon);
        await Eventually.TrueAsync(() => consoles.B.IsOnAsync(FlagNames.AlertsAutoTicket), "the other process reads the flag", Soon);
        Assert.Single(await ChangesAsync(FlagNames.AlertsAutoTicket), entry => entry.Reason == reason && entry.Before != entry.After);
    }

    [Fact]
    public async Task A_broken_listen_connection_is_opened_again_and_delays_no_flip()
    {
        await consoles.A.SetFlagAsync(FlagNames.AlertsAutoTicket, enabled: false);
        await using var connection = new NpgsqlConnection(PostgresUrl.ToConnectionString(consoles.All.Database.Location));
        await connection.OpenAsync();
        await using var end = new NpgsqlCommand(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'",
            connection
        );
        await end.ExecuteNonQueryAsync();

        await consoles.A.SetFlagAsync(FlagNames.AlertsAutoTicket, enabled: true);

        await Eventually.TrueAsync(() => consoles.B.IsOnAsync(FlagNames.AlertsAutoTicket), "the other process reads the flag", Soon);
        await using var count = new NpgsqlCommand(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'",
            connection
        );
        await Eventually.TrueAsync(async () => await count.ExecuteScalarAsync() is 2L, "both listen again");
    }

    private async Task<List<(string Actor, string? Reason, bool Before, bool After)>> ChangesAsync(string flag)
    {
        await using var db = consoles.All.Database.Open();
        var entries = await db.AuditLog.AsNoTracking().Where(entry => entry.Action == AuditActions.FlagChanged).ToListAsync();
        return
        [
            .. entries
                .Select(entry => (entry.Actor, Payload: JsonDocument.Parse(entry.Payload).RootElement))
                .Where(entry => entry.Payload.GetProperty("flag").GetString() == flag)
                .Select(entry =>
                    (
                        entry.Actor,
                        entry.Payload.GetProperty("reason").GetString(),
                        entry.Payload.GetProperty("before").GetBoolean(),
                        entry.Payload.GetProperty("after").GetBoolean()
                    )
                ),
        ];
    }
}
