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
        CancellationToken cancellationToken
    )
    {
        var statement = FormattableStringFactory.Create(
            $"WITH inserted AS (INSERT INTO {table} {insert} RETURNING {returning}), {string.Join(", ", then.Select((next, i) => $"then{i} AS ({next})"))} SELECT count(*) FROM inserted",
            rows
        );
        return (int)(await QueryAsync(statement, row => row.GetInt64(0), cancellationToken))[0];
    }

    public override string JsonObject => "jsonb_build_object";

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

    /// <summary>One round trip: PostgreSQL takes what is sent in one piece as one transaction.</summary>
    private DbBatch Batch(OpenedConnection connection, IReadOnlyList<FormattableString> statements)
    {
        var batch = connection.Connection.CreateBatch();
        batch.Transaction = connection.Transaction;
        // A plan is made once and kept, for better and for worse: one made while a table was all but empty would look through all that a flood
        // has put there since, by itself or by an index of something else besides the one that finds it. There is one for all that is asked
        // here; where there is none after all, what that is taken to cost must not call the compiler.
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

    // A subselect each, which hides from the planner how many rows there are: it finds one plan good for every number and keeps it, where it
    // would plan each statement anew for longer than it runs; and that plan goes by indexes, whatever stale statistics say of the tables.
    protected override string RowsFrom(RowsParameter rows, Func<object, string> add) =>
        $"unnest({string.Join(", ", rows.Columns.Select((column, i) => $"(SELECT {add(rows.ToArray(i))}::{column.PostgresType}[])"))}) AS r({string.Join(", ", rows.Columns.Select(column => column.Name))})";

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
