using Microsoft.EntityFrameworkCore.Migrations;

namespace AutoTicket.Data;

/// <summary>The triggers behind <see cref="DatabaseSignals"/>: PostgreSQL's send a NOTIFY, SQLite's count in the table <c>changes</c>. EF
/// does not know them: a regenerated <c>Initial</c> must call <see cref="CreateChangeTriggers"/> last.</summary>
internal static class ChangeTriggers
{
    private static readonly string[] AnyChange = ["INSERT", "UPDATE", "DELETE"];

    // No INSERT on tickets: no page shows a row that is only a claim.
    private static readonly (string Table, string[] Events, string Channel)[] All =
    [
        ("feature_flags", AnyChange, DatabaseSignals.Flags),
        ("tickets", ["UPDATE", "DELETE"], DatabaseSignals.Tickets),
        ("open_conversations", AnyChange, DatabaseSignals.Tickets),
        ("ticket_sync", AnyChange, DatabaseSignals.Tickets),
        ("ticket_findings", AnyChange, DatabaseSignals.Tickets),
        ("alerts", AnyChange, DatabaseSignals.Alerts),
        ("alert_deliveries", AnyChange, DatabaseSignals.Alerts),
        ("decisions", ["INSERT", "UPDATE"], DatabaseSignals.Alerts),
        ("parked_alerts", AnyChange, DatabaseSignals.Alerts),
        ("flood_breaker", AnyChange, DatabaseSignals.Alerts),
        ("surface_readings", ["INSERT"], DatabaseSignals.Readings),
        ("maintenance_windows", AnyChange, DatabaseSignals.Maintenance),
        ("snoozes", AnyChange, DatabaseSignals.Maintenance),
    ];

    public static void CreateChangeTriggers(this MigrationBuilder migration)
    {
        if (migration.IsSqlite())
        {
            CreateCounters(migration);
        }
        else
        {
            CreateNotifications(migration);
        }
    }

    public static void DropChangeTriggers(this MigrationBuilder migration) =>
        // SQLite drops a table's triggers with it.
        migration.Sql(migration.IsSqlite() ? "DROP TABLE changes;" : "DROP FUNCTION autoticket_notify() CASCADE;");

    private static void CreateNotifications(MigrationBuilder migration)
    {
        migration.Sql(
            """
            CREATE FUNCTION autoticket_notify() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pg_notify(TG_ARGV[0], '');
                RETURN NULL;
            END $$;
            """
        );
        foreach (var (table, events, channel) in All)
        {
            migration.Sql(
                $"CREATE TRIGGER notify_{table} AFTER {string.Join(" OR ", events)} ON {table} "
                    + $"FOR EACH STATEMENT EXECUTE FUNCTION autoticket_notify('{channel}');"
            );
        }
    }

    private static void CreateCounters(MigrationBuilder migration)
    {
        migration.Sql("CREATE TABLE changes (channel TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;");
        foreach (var channel in All.Select(trigger => trigger.Channel).Distinct())
        {
            migration.Sql($"INSERT INTO changes VALUES ('{channel}', 0);");
        }

        foreach (var (table, events, channel) in All)
        {
            foreach (var change in events)
            {
                migration.Sql(
                    $"CREATE TRIGGER count_{table}_{change.ToLowerInvariant()} AFTER {change} ON {table} "
                        + $"BEGIN UPDATE changes SET version = version + 1 WHERE channel = '{channel}'; END;"
                );
            }
        }
    }
}
