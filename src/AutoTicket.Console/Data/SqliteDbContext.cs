using System.Data.Common;
using System.Runtime.CompilerServices;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace AutoTicket.Data;

/// <summary>The embedded database, for a console without a database server.</summary>
internal sealed class SqliteDbContext(DbContextOptions<SqliteDbContext> options) : AutoTicketDbContext(options)
{
    private static readonly RowBatch<long> Inserted = new(("inserted_id", "bigint", id => id));

    public override async Task<bool> UpdateThenAsync(FormattableString update, FormattableString then, CancellationToken cancellationToken)
    {
        // SQLite has no data-modifying WITH. A transaction that begins with the write takes the write lock at once.
        await using var transaction = await BeginAsync(cancellationToken);
        if (await ExecuteAsync(update, cancellationToken) == 0)
        {
            return false;
        }

        await ExecuteAsync($"WITH changed AS (SELECT 1) {then}", cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    public override async Task<HashSet<long>> UpdateRowsThenAsync(
        string update,
        string then,
        RowsParameter rows,
        CancellationToken cancellationToken
    )
    {
        await using var transaction = await BeginAsync(cancellationToken);
        var changed = new HashSet<long>();
        // Row by row, because SQLite's RETURNING can't name columns of the rows.
        foreach (var row in rows.Each())
        {
            if (await ExecuteAsync(FormattableStringFactory.Create(update, row), cancellationToken) > 0)
            {
                await ExecuteAsync(
                    FormattableStringFactory.Create($"WITH changed AS (SELECT * FROM {{0}}) {then}", row),
                    cancellationToken
                );
                changed.Add((long)row.ColumnsIn(Model)[0].Values.Single()!);
            }
        }

        await transaction.CommitAsync(cancellationToken);
        return changed;
    }

    public override async Task<int> InsertAsync(
        string table,
        string insert,
        string returning,
        IReadOnlyList<string> then,
        RowsParameter rows,
        CancellationToken cancellationToken,
        params object[] arguments
    )
    {
        await using var transaction = await BeginAsync(cancellationToken);
        var ids = await QueryAsync(
            FormattableStringFactory.Create($"INSERT INTO {table} {insert} RETURNING id", [rows, .. arguments]),
            row => row.GetInt64(0),
            cancellationToken
        );
        if (ids.Count < rows.Count)
        {
            return 0;
        }

        foreach (var next in then)
        {
            await ExecuteAsync(
                FormattableStringFactory.Create(
                    $"WITH inserted AS (SELECT {returning} FROM {table} WHERE id IN (SELECT inserted_id FROM {{0}})) {next}",
                    Inserted.Of(ids)
                ),
                cancellationToken
            );
        }

        await transaction.CommitAsync(cancellationToken);
        return ids.Count;
    }

    public override string JsonObject => "json_object";

    public override async Task<int> ExecuteAsync(FormattableString sql, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using var command = Command(connection, sql);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public override async Task<List<T>> QueryAsync<T>(
        FormattableString sql,
        Func<DbDataReader, T> read,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using var command = Command(connection, sql);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await ReadAllAsync(reader, read, cancellationToken);
    }

    public override async Task<(List<TFirst>, List<TSecond>)> QueryTogetherAsync<TFirst, TSecond>(
        FormattableString first,
        Func<DbDataReader, TFirst> readFirst,
        FormattableString second,
        Func<DbDataReader, TSecond> readSecond,
        CancellationToken cancellationToken
    )
    {
        await using var transaction = await BeginAsync(cancellationToken);
        var firstRows = await QueryAsync(first, readFirst, cancellationToken);
        var secondRows = await QueryAsync(second, readSecond, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return (firstRows, secondRows);
    }

    private DbCommand Command(OpenedConnection connection, FormattableString sql)
    {
        var command = connection.Connection.CreateCommand();
        command.Transaction = connection.Transaction;
        command.CommandText = TextOf(sql, command.Parameters, command.CreateParameter);
        return command;
    }

    public override async Task<IReadOnlyList<int>> ExecuteTogetherAsync(
        IReadOnlyList<FormattableString> statements,
        CancellationToken cancellationToken
    )
    {
        await using var transaction = await BeginAsync(cancellationToken);
        var changed = new List<int>();
        foreach (var sql in statements)
        {
            changed.Add(await ExecuteAsync(sql, cancellationToken));
        }

        await transaction.CommitAsync(cancellationToken);
        return changed;
    }

    protected override string RowsFrom(IReadOnlyList<RowValues> columns, Func<object, string> add)
    {
        var names = columns.Select((column, i) => $"value ->> {i} AS {column.Name}");
        return $"(SELECT {string.Join(", ", names)} FROM json_each({add(RowsParameter.ToJson(columns, ToColumn))})) AS r";
    }

    public override Task<DateTimeOffset?> ReadClockAsync(CancellationToken cancellationToken) => Task.FromResult<DateTimeOffset?>(null);

    protected override DbConnection Connect(string connectionString) => new SqliteConnection(connectionString);

    public override DateTimeOffset TimeOf(DbDataReader row, int column) => new(row.GetInt64(column), TimeSpan.Zero);

    protected override object? ToColumn(object? value) => value is DateTimeOffset time ? time.UtcTicks : base.ToColumn(value);

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        base.ConfigureConventions(configurationBuilder);
        // SQLite can't order by a DateTimeOffset, so its UTC ticks are stored.
        configurationBuilder.Properties<DateTimeOffset>().HaveConversion<UtcTicks>();
    }

    private sealed class UtcTicks()
        : ValueConverter<DateTimeOffset, long>(time => time.UtcTicks, ticks => new DateTimeOffset(ticks, TimeSpan.Zero));

    internal sealed class DesignTime : IDesignTimeDbContextFactory<SqliteDbContext>
    {
        public SqliteDbContext CreateDbContext(string[] args) =>
            new(
                new DbContextOptionsBuilder<SqliteDbContext>()
                    .UseSqlite("Data Source=design-time.db")
                    .UseSnakeCaseNamingConvention()
                    .Options
            );
    }
}
