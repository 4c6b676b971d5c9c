using System.Data.Common;
using System.Net.Sockets;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace AutoTicket.Data;

/// <summary>Classifies exceptions of the database.</summary>
internal static class Outages
{
    /// <summary>The database is not available now, as opposed to rejecting a statement.</summary>
    public static bool IsOutage(Exception exception) =>
        IsRefusal(exception)
        || Chain(exception)
            .Any(inner =>
                inner
                    is TimeoutException
                        or SocketException
                        or NpgsqlException { IsTransient: true }
                        or PostgresException
                        {
                            SqlState: PostgresErrorCodes.QueryCanceled
                                or PostgresErrorCodes.AdminShutdown
                                or PostgresErrorCodes.ReadOnlySqlTransaction
                                // PgBouncer can't reach the server.
                                or PostgresErrorCodes.ProtocolViolation
                                // It refuses the connection for now. At the start the database gate reports these.
                                or PostgresErrorCodes.InvalidPassword
                                or PostgresErrorCodes.InvalidAuthorizationSpecification
                                or PostgresErrorCodes.InvalidCatalogName
                        }
                        // Busy, locked, read-only, I/O error, corrupt, full, can't open, not a database.
                        or SqliteException { SqliteErrorCode: 5 or 6 or 8 or 10 or 11 or 13 or 14 or 26 }
            );

    /// <summary>The database answers, but refuses a statement for now: a right was taken away, or a table is missing. The database gate
    /// reports it only at the start.</summary>
    public static bool IsRefusal(Exception exception) =>
        Chain(exception)
            .Any(inner =>
                inner
                    is PostgresException
                    {
                        SqlState: PostgresErrorCodes.InsufficientPrivilege
                            or PostgresErrorCodes.UndefinedTable
                            or PostgresErrorCodes.UndefinedColumn
                    }
            );

    /// <returns>What was read; null when the database can't be reached.</returns>
    public static async Task<T?> OrNullAsync<T>(
        this IDbContextFactory<AutoTicketDbContext> contexts,
        Func<AutoTicketDbContext, Task<T?>> read,
        CancellationToken cancellationToken
    )
        where T : class
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        try
        {
            return await read(db);
        }
        catch (Exception exception) when (IsOutage(exception))
        {
            return null;
        }
    }

    /// <summary>The database works, but another write is in its way. That passes by itself within seconds.</summary>
    public static bool IsBusy(Exception exception) =>
        exception.GetBaseException()
            is SqliteException { SqliteErrorCode: 5 or 6 } // busy, locked
                or PostgresException
                {
                    SqlState: PostgresErrorCodes.LockNotAvailable
                        or PostgresErrorCodes.SerializationFailure
                        or PostgresErrorCodes.DeadlockDetected
                };

    /// <summary>The database raised it, available or not.</summary>
    public static bool IsOfDatabase(Exception exception) => Chain(exception).Any(inner => inner is DbException);

    /// <summary>Another process inserted the same row first.</summary>
    public static bool IsDuplicate(Exception exception) =>
        exception.GetBaseException()
            is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation }
                or SqliteException { SqliteExtendedErrorCode: PrimaryKeyViolation or UniqueViolation };

    private static IEnumerable<Exception> Chain(Exception exception)
    {
        for (Exception? inner = exception; inner is not null; inner = inner.InnerException)
        {
            yield return inner;
        }
    }

    private const int PrimaryKeyViolation = 1555;
    private const int UniqueViolation = 2067;
}
