using System.Collections.Concurrent;
using AutoTicket.Data;
using Microsoft.Extensions.Logging.Abstractions;

namespace AutoTicket.Tests.Storage;

public sealed class SqliteSignalsTests
{
    /// <summary>The clock stands still, so nothing is raised by time.</summary>
    [Fact]
    public async Task A_commit_raises_the_channel_of_its_table_and_a_renewed_lease_raises_none()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        using var signals = new SqliteSignals($"Data Source={database.Location}", new StillClock(), NullLogger<DatabaseSignals>.Instance);
        string[] channels =
        [
            DatabaseSignals.Flags,
            DatabaseSignals.Tickets,
            DatabaseSignals.Alerts,
            DatabaseSignals.Readings,
            DatabaseSignals.Maintenance,
        ];
        var raised = new ConcurrentQueue<string>();
        foreach (var channel in channels)
        {
            signals.Subscribe(channel, () => raised.Enqueue(channel));
        }

        await signals.StartAsync(default);
        await Eventually.TrueAsync(() => raised.Count == channels.Length, "the start raises every channel");

        await ExecuteAsync("INSERT INTO leases (name, owner, until, fence) VALUES ('leader', 'me', 0, 1)");
        await ExecuteAsync("INSERT INTO feature_flags (name, version) VALUES ('A', 0), ('B', 0)");
        await Eventually.TrueAsync(() => raised.Count > channels.Length, "the flags are raised");
        await ExecuteAsync("UPDATE feature_flags SET version = 1");
        await Eventually.TrueAsync(() => raised.Count > channels.Length + 1, "the change is raised");
        await ExecuteAsync("DELETE FROM feature_flags");
        await Eventually.TrueAsync(() => raised.Count > channels.Length + 2, "the deletion is raised");
        await ExecuteAsync("INSERT INTO ticket_sync (id) VALUES (1)");
        await Eventually.TrueAsync(() => raised.Count > channels.Length + 3, "the tickets are raised");

        Assert.Equal(
            [DatabaseSignals.Flags, DatabaseSignals.Flags, DatabaseSignals.Flags, DatabaseSignals.Tickets],
            raised.Skip(channels.Length)
        );
        await signals.StopAsync(default);

        async Task ExecuteAsync(string sql)
        {
            await using var db = database.Open();
            await db.ExecuteAsync(System.Runtime.CompilerServices.FormattableStringFactory.Create(sql), default);
        }
    }
}
