using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace AutoTicket.Data.Sqlite
{
    /// <inheritdoc />
    public partial class Outbox : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_tickets_state",
                table: "tickets");

            migrationBuilder.CreateIndex(
                name: "ix_tickets_state_conversation_id",
                table: "tickets",
                columns: new[] { "state", "conversation_id" });

            migrationBuilder.CreateIndex(
                name: "ix_tickets_tag",
                table: "tickets",
                column: "tag",
                filter: "state = 'open' AND tag = 'auto:status'");

            migrationBuilder.CreateTable(
                name: "alert_outbox",
                columns: table => new
                {
                    id = table.Column<long>(type: "INTEGER", nullable: false)
                        .Annotation("Sqlite:Autoincrement", true),
                    hook = table.Column<string>(type: "TEXT", nullable: false),
                    alert_row = table.Column<long>(type: "INTEGER", nullable: false),
                    source = table.Column<string>(type: "TEXT", nullable: false),
                    severity = table.Column<string>(type: "TEXT", maxLength: 16, nullable: false),
                    due_at = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_alert_outbox", x => x.id);
                });

            migrationBuilder.CreateIndex(
                name: "ix_alert_outbox_hook_source_severity_id",
                table: "alert_outbox",
                columns: new[] { "hook", "source", "severity", "id" });

            // What was on the list before; each hook finds out for itself whether it has anything to do.
            migrationBuilder.Sql("""
                INSERT INTO alert_outbox (hook, alert_row, source, severity, due_at)
                SELECT hook, id, source, severity, opened_at FROM alerts CROSS JOIN (SELECT 'ticket' AS hook UNION ALL SELECT 'slack') AS hooks WHERE is_pending ORDER BY id
                """);

            migrationBuilder.DropIndex(
                name: "ix_alerts_pending",
                table: "alerts");

            migrationBuilder.DropColumn(
                name: "is_pending",
                table: "alerts");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_tickets_state_conversation_id",
                table: "tickets");

            migrationBuilder.CreateIndex(
                name: "ix_tickets_state",
                table: "tickets",
                column: "state",
                filter: "state IN ('filing', 'unconfirmed', 'open')");

            migrationBuilder.DropIndex(
                name: "ix_tickets_tag",
                table: "tickets");

            migrationBuilder.DropTable(
                name: "alert_outbox");

            migrationBuilder.AddColumn<bool>(
                name: "is_pending",
                table: "alerts",
                type: "INTEGER",
                nullable: false,
                defaultValue: true);

            migrationBuilder.CreateIndex(
                name: "ix_alerts_pending",
                table: "alerts",
                columns: new[] { "severity", "opened_at" },
                filter: "is_pending");
        }
    }
}
