using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace AutoTicket.Data.Sqlite
{
    /// <inheritdoc />
    public partial class Indexes : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_alerts_ended_at",
                table: "alerts");

            migrationBuilder.DropIndex(
                name: "ix_alerts_logical_id_ended_at",
                table: "alerts");

            migrationBuilder.DropIndex(
                name: "ix_alerts_opened_at",
                table: "alerts");

            migrationBuilder.CreateIndex(
                name: "ix_tickets_posted_at",
                table: "tickets",
                column: "posted_at");

            migrationBuilder.CreateIndex(
                name: "ix_tickets_tags_pending",
                table: "tickets",
                column: "tags_pending",
                filter: "tags_pending");

            migrationBuilder.CreateIndex(
                name: "ix_alerts_ended_at",
                table: "alerts",
                column: "ended_at",
                filter: "ended_at IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_alerts_logical_id_ended_at",
                table: "alerts",
                columns: new[] { "logical_id", "ended_at" },
                filter: "ended_at IS NOT NULL");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_tickets_posted_at",
                table: "tickets");

            migrationBuilder.DropIndex(
                name: "ix_tickets_tags_pending",
                table: "tickets");

            migrationBuilder.DropIndex(
                name: "ix_alerts_ended_at",
                table: "alerts");

            migrationBuilder.DropIndex(
                name: "ix_alerts_logical_id_ended_at",
                table: "alerts");

            migrationBuilder.CreateIndex(
                name: "ix_alerts_ended_at",
                table: "alerts",
                column: "ended_at");

            migrationBuilder.CreateIndex(
                name: "ix_alerts_logical_id_ended_at",
                table: "alerts",
                columns: new[] { "logical_id", "ended_at" });

            migrationBuilder.CreateIndex(
                name: "ix_alerts_opened_at",
                table: "alerts",
                column: "opened_at");
        }
    }
}
