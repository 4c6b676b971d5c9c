using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace AutoTicket.Data;

/// <summary>Tells an outage of the database from a bug, where no context is at hand.</summary>
internal static class Outages
{
    public static bool IsOutage(this IDbContextFactory<AutoTicketDbContext> contexts, Exception exception)
    {
        using var db = contexts.CreateDbContext();
        return db.IsOutage(exception);
    }

    /// <summary>Another process inserted the same row first.</summary>
    public static bool IsDuplicate(Exception exception) =>
        exception.GetBaseException() is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation }
            or SqliteException { SqliteExtendedErrorCode: PrimaryKeyViolation or UniqueViolation };

    private const int PrimaryKeyViolation = 1555;
    private const int UniqueViolation = 2067;
}
