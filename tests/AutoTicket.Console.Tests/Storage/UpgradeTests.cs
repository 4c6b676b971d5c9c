using AutoTicket.Alerts;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace AutoTicket.Tests.Storage;

/// <summary>What waited in a database of an older release still waits after the upgrade, and after the way back.</summary>
public sealed class UpgradeTests
{
    [Theory]
    [BothDatabases]
    public async Task Alerts_that_hooks_had_still_to_look_at_are_in_the_outbox_after_the_upgrade(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using (var older = database.Open())
        {
            await older.GetService<IMigrator>().MigrateAsync("20261125122500_AlertsByIdentity");
            foreach (var (name, isPending) in new[] { ("waiting", true), ("delivered", false) })
            {
                await older.ExecuteAsync($"""
                    INSERT INTO alerts (alert_id, logical_id, slot, status, source, name, severity, summary, labels, members, folded_ids, started_at, opened_at, seen_at, reopened, is_pending, version)
                    VALUES ({name}, {name}, {""}, {"firing"}, {"test"}, {name}, {"p2"}, {name}, {"{}"}, {"[]"}, {0}, {DateTimeOffset.UnixEpoch}, {DateTimeOffset.UnixEpoch}, {DateTimeOffset.UnixEpoch}, {0}, {isPending}, {0})
                    """, CancellationToken.None);
            }
        }

        await using var db = database.Open();
        var migrator = db.GetService<IMigrator>();
        await migrator.MigrateAsync();

        var waiting = await db.Alerts.SingleAsync(alert => alert.Name == "waiting");
        Assert.Equal(2, await db.Alerts.CountAsync());
        Assert.Equal(
            [(waiting.Id, AlertPaths.Slack), (waiting.Id, AlertPaths.Ticket)],
            (await db.AlertOutbox.ToListAsync()).Select(entry => (entry.AlertRow, entry.Hook)).Order());

        await migrator.MigrateAsync("20261125122500_AlertsByIdentity");
        Assert.Equal(2, (await db.QueryAsync($"SELECT count(*) FROM alerts WHERE is_pending", row => row.GetInt64(0), CancellationToken.None))[0]);
    }
}
