using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace AutoTicket.Data.Postgres
{
    /// <inheritdoc />
    public partial class AlertsByIdentity : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_alerts_logical_id_ended_at",
                table: "alerts");

            migrationBuilder.CreateIndex(
                name: "ix_alerts_logical_id_ended_at",
                table: "alerts",
                columns: new[] { "logical_id", "ended_at" });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_alerts_logical_id_ended_at",
                table: "alerts");

            migrationBuilder.CreateIndex(
                name: "ix_alerts_logical_id_ended_at",
                table: "alerts",
                columns: new[] { "logical_id", "ended_at" },
                filter: "ended_at IS NOT NULL");
        }
    }
}
