using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace AutoTicket.Data.Sqlite
{
    /// <inheritdoc />
    public partial class Findings : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<long>(
                name: "reopened_at",
                table: "tickets",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "resolved_by",
                table: "tickets",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "reconcile_problem",
                table: "ticket_sync",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "reconciled_at",
                table: "ticket_sync",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "ticket_findings",
                columns: table => new
                {
                    conversation_id = table.Column<long>(type: "INTEGER", nullable: false),
                    kind = table.Column<string>(type: "TEXT", maxLength: 16, nullable: false),
                    number = table.Column<long>(type: "INTEGER", nullable: false),
                    subject = table.Column<string>(type: "TEXT", nullable: false),
                    detail = table.Column<string>(type: "TEXT", nullable: false),
                    first_seen_at = table.Column<long>(type: "INTEGER", nullable: false),
                    seen_at = table.Column<long>(type: "INTEGER", nullable: false),
                    repaired_at = table.Column<long>(type: "INTEGER", nullable: true),
                    is_open = table.Column<bool>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_ticket_findings", x => new { x.conversation_id, x.kind });
                });
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
