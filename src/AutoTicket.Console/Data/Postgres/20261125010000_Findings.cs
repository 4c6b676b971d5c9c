using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace AutoTicket.Data.Postgres
{
    /// <inheritdoc />
    public partial class Findings : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "reopened_at",
                table: "tickets",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "resolved_by",
                table: "tickets",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "reconcile_problem",
                table: "ticket_sync",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "reconciled_at",
                table: "ticket_sync",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "ticket_findings",
                columns: table => new
                {
                    conversation_id = table.Column<long>(type: "bigint", nullable: false),
                    kind = table.Column<string>(type: "character varying(16)", maxLength: 16, nullable: false),
                    number = table.Column<long>(type: "bigint", nullable: false),
                    subject = table.Column<string>(type: "text", nullable: false),
                    detail = table.Column<string>(type: "text", nullable: false),
                    first_seen_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    seen_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    repaired_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    is_open = table.Column<bool>(type: "boolean", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_ticket_findings", x => new { x.conversation_id, x.kind });
                });

            migrationBuilder.Sql("CREATE TRIGGER notify_ticket_findings AFTER INSERT OR UPDATE OR DELETE ON ticket_findings FOR EACH STATEMENT EXECUTE FUNCTION autoticket_notify('autoticket_tickets');");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "ticket_findings");

            migrationBuilder.DropColumn(
                name: "reopened_at",
                table: "tickets");

            migrationBuilder.DropColumn(
                name: "resolved_by",
                table: "tickets");

            migrationBuilder.DropColumn(
                name: "reconcile_problem",
                table: "ticket_sync");

            migrationBuilder.DropColumn(
                name: "reconciled_at",
                table: "ticket_sync");
        }
    }
}
