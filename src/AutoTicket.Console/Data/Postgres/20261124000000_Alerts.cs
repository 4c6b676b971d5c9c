using System;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

namespace AutoTicket.Data.Postgres
{
    /// <inheritdoc />
    public partial class Alerts : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_tickets_marker",
                table: "tickets");

            migrationBuilder.DropIndex(
                name: "ix_tickets_state",
                table: "tickets");

            migrationBuilder.CreateTable(
                name: "alert_deliveries",
                columns: table => new
                {
                    alert_row = table.Column<long>(type: "bigint", nullable: false),
                    hook = table.Column<string>(type: "text", nullable: false),
                    kind = table.Column<string>(type: "character varying(16)", maxLength: 16, nullable: false),
                    at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    severity = table.Column<string>(type: "character varying(16)", maxLength: 16, nullable: false),
                    reopened = table.Column<int>(type: "integer", nullable: false),
                    ticket_id = table.Column<long>(type: "bigint", nullable: true),
                    ticket_number = table.Column<long>(type: "bigint", nullable: true),
                    ticket_url = table.Column<string>(type: "text", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_alert_deliveries", x => new { x.alert_row, x.hook, x.kind });
                });

            migrationBuilder.CreateTable(
                name: "alerts",
                columns: table => new
                {
                    id = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                    alert_id = table.Column<string>(type: "text", nullable: false),
                    logical_id = table.Column<string>(type: "text", nullable: false),
                    slot = table.Column<string>(type: "text", nullable: false),
                    status = table.Column<string>(type: "character varying(16)", maxLength: 16, nullable: false),
                    source = table.Column<string>(type: "text", nullable: false),
                    name = table.Column<string>(type: "text", nullable: false),
                    surface = table.Column<string>(type: "text", nullable: true),
                    severity = table.Column<string>(type: "character varying(16)", maxLength: 16, nullable: false),
                    summary = table.Column<string>(type: "text", nullable: false),
                    full_text = table.Column<string>(type: "text", nullable: true),
                    url = table.Column<string>(type: "text", nullable: true),
                    labels = table.Column<string>(type: "text", nullable: false),
                    members = table.Column<string>(type: "text", nullable: false),
                    folded_ids = table.Column<int>(type: "integer", nullable: false),
                    started_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    opened_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    seen_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    expires_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    ended_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    reopened = table.Column<int>(type: "integer", nullable: false),
                    is_pending = table.Column<bool>(type: "boolean", nullable: false),
                    version = table.Column<int>(type: "integer", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_alerts", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "decisions",
                columns: table => new
                {
                    id = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                    alert_id = table.Column<string>(type: "text", nullable: false),
                    alert_row = table.Column<long>(type: "bigint", nullable: true),
                    path = table.Column<string>(type: "text", nullable: false),
                    word = table.Column<string>(type: "text", nullable: false),
                    detail = table.Column<string>(type: "text", nullable: true),
                    actor = table.Column<string>(type: "text", nullable: true),
                    count = table.Column<int>(type: "integer", nullable: false),
                    first_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    last_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    ticket_number = table.Column<long>(type: "bigint", nullable: true),
                    ticket_url = table.Column<string>(type: "text", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_decisions", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "flood_breaker",
                columns: table => new
                {
                    scope = table.Column<string>(type: "text", nullable: false),
                    state = table.Column<string>(type: "character varying(16)", maxLength: 16, nullable: false),
                    since = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    until = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    count_from = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    changed_by = table.Column<string>(type: "text", nullable: true),
                    reason = table.Column<string>(type: "text", nullable: true),
                    version = table.Column<int>(type: "integer", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_flood_breaker", x => x.scope);
                });

            migrationBuilder.CreateTable(
                name: "leases",
                columns: table => new
                {
                    name = table.Column<string>(type: "text", nullable: false),
                    owner = table.Column<string>(type: "text", nullable: false),
                    until = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    fence = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_leases", x => x.name);
                });

            migrationBuilder.CreateTable(
                name: "parked_alerts",
                columns: table => new
                {
                    id = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                    received_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    intake = table.Column<string>(type: "text", nullable: false),
                    reason = table.Column<string>(type: "text", nullable: false),
                    text = table.Column<string>(type: "text", nullable: false),
                    is_whole = table.Column<bool>(type: "boolean", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_parked_alerts", x => x.id);
                });

            migrationBuilder.CreateIndex(
                name: "ix_tickets_state",
                table: "tickets",
                column: "state",
                filter: "state IN ('filing', 'unconfirmed', 'open')");

            migrationBuilder.CreateIndex(
                name: "ix_alerts_ended_at",
                table: "alerts",
                column: "ended_at");

            migrationBuilder.CreateIndex(
                name: "ix_alerts_expires_at",
                table: "alerts",
                column: "expires_at",
                filter: "status = 'firing'");

            migrationBuilder.CreateIndex(
                name: "ix_alerts_firing",
                table: "alerts",
                columns: new[] { "logical_id", "slot" },
                unique: true,
                filter: "status = 'firing'");

            migrationBuilder.CreateIndex(
                name: "ix_alerts_logical_id_ended_at",
                table: "alerts",
                columns: new[] { "logical_id", "ended_at" });

            migrationBuilder.CreateIndex(
                name: "ix_alerts_opened_at",
                table: "alerts",
                column: "opened_at");

            migrationBuilder.CreateIndex(
                name: "ix_alerts_pending",
                table: "alerts",
                columns: new[] { "severity", "opened_at" },
                filter: "is_pending");

            migrationBuilder.CreateIndex(
                name: "ix_decisions_alert_id_last_at",
                table: "decisions",
                columns: new[] { "alert_id", "last_at" });

            migrationBuilder.CreateIndex(
                name: "ix_decisions_alert_id_alert_row_path_word",
                table: "decisions",
                columns: new[] { "alert_id", "alert_row", "path", "word" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_decisions_last_at",
                table: "decisions",
                column: "last_at");

            migrationBuilder.CreateIndex(
                name: "ix_parked_alerts_received_at",
                table: "parked_alerts",
                column: "received_at");

            migrationBuilder.Sql("""
                CREATE TRIGGER notify_alerts AFTER INSERT OR UPDATE OR DELETE ON alerts FOR EACH STATEMENT EXECUTE FUNCTION autoticket_notify('autoticket_alerts');
                CREATE TRIGGER notify_alert_deliveries AFTER INSERT OR UPDATE OR DELETE ON alert_deliveries FOR EACH STATEMENT EXECUTE FUNCTION autoticket_notify('autoticket_alerts');
                CREATE TRIGGER notify_parked_alerts AFTER INSERT OR UPDATE OR DELETE ON parked_alerts FOR EACH STATEMENT EXECUTE FUNCTION autoticket_notify('autoticket_alerts');
                CREATE TRIGGER notify_flood_breaker AFTER INSERT OR UPDATE OR DELETE ON flood_breaker FOR EACH STATEMENT EXECUTE FUNCTION autoticket_notify('autoticket_alerts');
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "alert_deliveries");

            migrationBuilder.DropTable(
                name: "alerts");

            migrationBuilder.DropTable(
                name: "decisions");

            migrationBuilder.DropTable(
                name: "flood_breaker");

            migrationBuilder.DropTable(
                name: "leases");

            migrationBuilder.DropTable(
                name: "parked_alerts");

            migrationBuilder.DropIndex(
                name: "ix_tickets_state",
                table: "tickets");

            migrationBuilder.CreateIndex(
                name: "ix_tickets_marker",
                table: "tickets",
                column: "marker",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_tickets_state",
                table: "tickets",
                column: "state");
        }
    }
}
