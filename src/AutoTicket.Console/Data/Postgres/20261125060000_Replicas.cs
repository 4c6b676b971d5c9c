using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace AutoTicket.Data.Postgres
{
    /// <inheritdoc />
    public partial class Replicas : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "asked_at",
                table: "ticket_sync",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "failure",
                table: "ticket_sync",
                type: "character varying(16)",
                maxLength: 16,
                nullable: true);

            migrationBuilder.Sql("CREATE TRIGGER notify_surface_readings AFTER INSERT ON surface_readings FOR EACH STATEMENT EXECUTE FUNCTION autoticket_notify('autoticket_readings')");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql("DROP TRIGGER notify_surface_readings ON surface_readings");

            migrationBuilder.DropColumn(
                name: "asked_at",
                table: "ticket_sync");

            migrationBuilder.DropColumn(
                name: "failure",
                table: "ticket_sync");
        }
    }
}
