using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace AutoTicket.Data.Sqlite
{
    /// <inheritdoc />
    public partial class Replicas : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<long>(
                name: "asked_at",
                table: "ticket_sync",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "failure",
                table: "ticket_sync",
                type: "TEXT",
                maxLength: 16,
                nullable: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "asked_at",
                table: "ticket_sync");

            migrationBuilder.DropColumn(
                name: "failure",
                table: "ticket_sync");
        }
    }
}
