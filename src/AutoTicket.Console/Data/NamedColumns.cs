using System.Data.Common;

namespace AutoTicket.Data;

/// <summary>Reads the columns of a row by name. Names can't shift, as positions do when a query gets another column.</summary>
internal static class NamedColumns
{
    public static string Text(this DbDataReader row, string column) => row.GetString(row.GetOrdinal(column));

    public static string? TextOrNull(this DbDataReader row, string column) =>
        row.GetOrdinal(column) is var at && row.IsDBNull(at) ? null : row.GetString(at);

    public static int Int(this DbDataReader row, string column) => row.GetInt32(row.GetOrdinal(column));

    public static int? IntOrNull(this DbDataReader row, string column) =>
        row.GetOrdinal(column) is var at && row.IsDBNull(at) ? null : row.GetInt32(at);

    public static long Long(this DbDataReader row, string column) => row.GetInt64(row.GetOrdinal(column));

    public static long? LongOrNull(this DbDataReader row, string column) =>
        row.GetOrdinal(column) is var at && row.IsDBNull(at) ? null : row.GetInt64(at);

    public static DateTimeOffset TimeOf(this AutoTicketDbContext db, DbDataReader row, string column) =>
        db.TimeOf(row, row.GetOrdinal(column));

    public static DateTimeOffset? TimeOrNull(this AutoTicketDbContext db, DbDataReader row, string column) =>
        row.GetOrdinal(column) is var at && row.IsDBNull(at) ? null : db.TimeOf(row, at);
}
