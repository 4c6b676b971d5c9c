using Microsoft.EntityFrameworkCore.Migrations;

namespace AutoTicket.Data;

/// <summary>The triggers that send the NOTIFY for <see cref="DatabaseSignals"/>. EF does not know them: a regenerated <c>Initial</c>
/// must call <see cref="CreateChangeTriggers"/> last.</summary>
internal static class PostgresTriggers
{
    private const string AnyChange = "INSERT OR UPDATE OR DELETE";

    // No INSERT on tickets: no page shows a row that is only a claim.
    private static readonly (string Table, string Events, string Channel)[] All =
    [
        ("feature_flags", AnyChange, DatabaseSignals.Flags),
        ("tickets", "UPDATE OR DELETE", DatabaseSignals.Tickets),
        ("open_conversations", AnyChange, DatabaseSignals.Tickets),
        ("ticket_sync", AnyChange, DatabaseSignals.Tickets),
        ("ticket_findings", AnyChange, DatabaseSignals.Tickets),
        ("alerts", AnyChange, DatabaseSignals.Alerts),
        ("alert_deliveries", AnyChange, DatabaseSignals.Alerts),
        ("parked_alerts", AnyChange, DatabaseSignals.Alerts),
        ("flood_breaker", AnyChange, DatabaseSignals.Alerts),
        ("surface_readings", "INSERT", DatabaseSignals.Readings),
        ("maintenance_windows", AnyChange, DatabaseSignals.Maintenance),
        ("snoozes", AnyChange, DatabaseSignals.Maintenance),
    ];

    public static void CreateChangeTriggers(this MigrationBuilder migration)
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
                $"CREATE TRIGGER notify_{table} AFTER {events} ON {table} "
                    + $"FOR EACH STATEMENT EXECUTE FUNCTION autoticket_notify('{channel}');"
            );
        }
    }

    public static void DropChangeTriggers(this MigrationBuilder migration) => migration.Sql("DROP FUNCTION autoticket_notify() CASCADE;");
}
