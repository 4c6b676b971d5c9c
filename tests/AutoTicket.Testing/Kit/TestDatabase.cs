using AutoTicket.Data;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Kit;

/// <summary>A database for one test or test class, dropped on dispose. <see cref="Settings"/> points the console to it.</summary>
public sealed class TestDatabase : IAsyncDisposable
{
    // A run migrates one database of each kind and copies it for each test: a copy takes a twentieth of the time.
    private static readonly Lazy<Task<TestDatabase>> PostgresTemplate = new(() => CreateTemplateAsync(Database.Postgres));
    private static readonly Lazy<Task<TestDatabase>> SqliteTemplate = new(() => CreateTemplateAsync(Database.Sqlite));

    private readonly DirectoryInfo? _folder;

    private TestDatabase(Database kind, string location, DirectoryInfo? folder) => (Kind, Location, _folder) = (kind, location, folder);

    public Database Kind { get; }

    /// <summary>A postgres:// URL, or the path of the SQLite file.</summary>
    public string Location { get; }

    /// <summary>The environment variable that points the console to this database.</summary>
    public IReadOnlyDictionary<string, string> Settings =>
        new Dictionary<string, string> { [Kind == Database.Postgres ? "DATABASE_URL" : "AUTOTICKET_SQLITE_PATH"] = Location };

    /// <summary>A database with the current schema.</summary>
    public static async Task<TestDatabase> CreateAsync(Database kind)
    {
        if (kind == Database.Postgres)
        {
            return new TestDatabase(kind, await PostgresServer.CreateDatabaseAsync((await PostgresTemplate.Value).Location), null);
        }

        var copy = await CreateEmptyAsync(kind);
        File.Copy((await SqliteTemplate.Value).Location, copy.Location);
        return copy;
    }

    /// <summary>A database without a schema, for tests of the migrations.</summary>
    public static async Task<TestDatabase> CreateEmptyAsync(Database kind)
    {
        if (kind == Database.Postgres)
        {
            return new TestDatabase(kind, await PostgresServer.CreateDatabaseAsync(), null);
        }

        var folder = Directory.CreateTempSubdirectory("autoticket-sqlite-");
        return new TestDatabase(kind, Path.Combine(folder.FullName, "autoticket.db"), folder);
    }

    public async ValueTask DisposeAsync()
    {
        if (Kind == Database.Postgres)
        {
            await PostgresServer.DropAsync(Location);
        }
        else
        {
            ClearSqlitePool();
        }

        if (_folder is not null)
        {
            // Work that a closed page had begun may open the file once more while the folder is deleted.
            await Eventually.TrueAsync(() => IsDeleted(_folder), "the database's folder is deleted");
        }
    }

    /// <summary>Closes the connections of stopped consoles of this process. They would keep the file open, and their caches in memory, for
    /// minutes.</summary>
    public void ClearSqlitePool()
    {
        using var connection = new SqliteConnection(DataSetup.SqliteConnectionString(Location));
        SqliteConnection.ClearPool(connection);
    }

    private static bool IsDeleted(DirectoryInfo folder)
    {
        try
        {
            folder.Delete(recursive: true);
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static async Task<TestDatabase> CreateTemplateAsync(Database kind)
    {
        var template = await CreateEmptyAsync(kind);
        await template.MigrateAsync();
        if (kind == Database.Postgres)
        {
            await (await PostgresServer.SharedAsync()).SealAsync(template.Location);
        }
        else
        {
            AppDomain.CurrentDomain.ProcessExit += (_, _) => template._folder!.Delete(recursive: true);

            // Moves the WAL into the one file that is copied. Copies keep the WAL mode.
            await using var connection = new SqliteConnection($"Data Source={template.Location};Pooling=False");
            await connection.OpenAsync();
            await using var checkpoint = connection.CreateCommand();
            checkpoint.CommandText = "PRAGMA wal_checkpoint(TRUNCATE)";
            await checkpoint.ExecuteNonQueryAsync();
        }

        return template;
    }
}

/// <summary>Opens the database for services that are tested without a console.</summary>
internal sealed class Contexts(TestDatabase database) : IDbContextFactory<AutoTicketDbContext>
{
    public bool IsAway { get; set; }

    /// <summary>The database does not answer questions asked now until this completes.</summary>
    public TaskCompletionSource? Hangs { get; set; }

    public AutoTicketDbContext CreateDbContext() =>
        IsAway
            ? new SqliteDbContext(new DbContextOptionsBuilder<SqliteDbContext>().UseSqlite("Data Source=/nowhere/autoticket.db").Options)
            : database.Open();

    public async Task<AutoTicketDbContext> CreateDbContextAsync(CancellationToken cancellationToken)
    {
        await (Hangs?.Task ?? Task.CompletedTask);
        return CreateDbContext();
    }
}
