using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Npgsql;

namespace AutoTicket.Data;

/// <summary>The database of record, named by <c>DATABASE_URL</c>.</summary>
internal sealed class PostgresDbContext(DbContextOptions<PostgresDbContext> options) : AutoTicketDbContext(options)
{
    // Each of these is one statement: one round trip and one commit.
    public override async Task<bool> UpdateThenAsync(
        FormattableString update,
        FormattableString then,
        CancellationToken cancellationToken
    ) => await ExecuteAsync($"WITH changed AS ({update} RETURNING 1) {then}", cancellationToken) > 0;

    public override async Task<HashSet<long>> UpdateRowsThenAsync(
        string update,
        string then,
        RowsParameter rows,
        CancellationToken cancellationToken
    )
    {
        var statement = FormattableStringFactory.Create(
            $"WITH changed AS ({update} RETURNING r.*), followed AS ({then}) SELECT {RowId} FROM changed",
            rows
        );
        return [.. await QueryAsync(statement, row => row.GetInt64(0), cancellationToken)];
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
        var followed = string.Concat(then.Select((next, i) => $", then{i} AS ({next})"));
        var statement = FormattableStringFactory.Create(
            $"WITH inserted AS (INSERT INTO {table} {insert} RETURNING {returning}){followed} SELECT count(*) FROM inserted",
            [rows, .. arguments]
        );
        return (int)(await QueryAsync(statement, row => row.GetInt64(0), cancellationToken))[0];
    }

    public override string JsonObject => "jsonb_build_object";

    public override Task LimitLockWaitAsync(CancellationToken cancellationToken) =>
        Database.ExecuteSqlAsync($"SET LOCAL lock_timeout = '2s'", cancellationToken);

    public override async Task<int> ExecuteAsync(FormattableString sql, CancellationToken cancellationToken) =>
        (await ExecuteTogetherAsync([sql], cancellationToken))[0];

    public override async Task<IReadOnlyList<int>> ExecuteTogetherAsync(
        IReadOnlyList<FormattableString> statements,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using var batch = Batch(connection, statements);
        await batch.ExecuteNonQueryAsync(cancellationToken);
        return [.. batch.BatchCommands.Skip(1).Select(command => command.RecordsAffected)];
    }

    public override async Task<List<T>> QueryAsync<T>(
        FormattableString sql,
        Func<DbDataReader, T> read,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await OpenAsync(cancellationToken);
        await using var batch = Batch(connection, [sql]);
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
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
        await using var connection = await OpenAsync(cancellationToken);
        await using var batch = Batch(connection, [first, second]);
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        var firstRows = await ReadAllAsync(reader, readFirst, cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        return (firstRows, await ReadAllAsync(reader, readSecond, cancellationToken));
    }

    /// <summary>One round trip and, because PostgreSQL runs a batch so, one transaction.</summary>
    private DbBatch Batch(OpenedConnection connection, IReadOnlyList<FormattableString> statements)
    {
        var batch = connection.Connection.CreateBatch();
        batch.Transaction = connection.Transaction;
        // PostgreSQL keeps the plan of a prepared statement. A plan made while a table was almost empty would scan it all after a flood.
        // Every statement here has its index, so only index scans are allowed. The high cost of a forbidden scan must not start the JIT.
        Add(
            "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), set_config('jit', 'off', true)"
        );
        foreach (var sql in statements)
        {
            var command = Add("");
            command.CommandText = TextOf(sql, command.Parameters, command.CreateParameter);
        }

        return batch;

        DbBatchCommand Add(string text)
        {
            var command = batch.CreateBatchCommand();
            command.CommandText = text;
            batch.BatchCommands.Add(command);
            return command;
        }
    }

    protected override DbConnection Connect(string connectionString) => new NpgsqlConnection(connectionString);

    protected override bool HasNamedParameters => false;

    // The subselects hide the number of rows from the planner. So one generic plan fits every batch, and no statement is planned again.
    protected override string RowsFrom(IReadOnlyList<RowValues> columns, Func<object, string> add)
    {
        var arrays = columns.Select(column => $"(SELECT {add(column.ToArray())}::{column.PostgresType}[])");
        return $"unnest({string.Join(", ", arrays)}) AS r({string.Join(", ", columns.Select(column => column.Name))})";
    }

    public override async Task<DateTimeOffset?> ReadClockAsync(CancellationToken cancellationToken) =>
        (await QueryAsync($"SELECT clock_timestamp()", row => row.GetFieldValue<DateTimeOffset>(0), cancellationToken))[0];

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        base.OnModelCreating(modelBuilder);
        foreach (var property in modelBuilder.Model.GetEntityTypes().SelectMany(entity => entity.GetProperties()))
        {
            if (property.PropertyInfo?.GetCustomAttribute<StringSyntaxAttribute>() is { Syntax: StringSyntaxAttribute.Json })
            {
                property.SetColumnType("jsonb");
            }
        }
    }

    internal sealed class DesignTime : IDesignTimeDbContextFactory<PostgresDbContext>
    {
        public PostgresDbContext CreateDbContext(string[] args) =>
            new(new DbContextOptionsBuilder<PostgresDbContext>().UseNpgsql("Host=design-time").UseSnakeCaseNamingConvention().Options);
    }
}
