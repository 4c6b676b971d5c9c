using System.Data.Common;
using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.DataProtection.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace AutoTicket.Data;

/// <summary>The console's database. A context lives for one method (<see cref="IDbContextFactory{TContext}"/>). Only the two subclasses
/// know which database it is.</summary>
internal abstract class AutoTicketDbContext(DbContextOptions options) : DbContext(options), IDataProtectionKeyContext
{
    private static readonly ConditionalWeakTable<DbContextOptions, IModel> Models = [];
    private readonly DbContextOptions _options = options;
    private bool _isInTransaction;

    /// <summary>One for all contexts. EF would make a context's services for each statement that asks for it.</summary>
    public override IModel Model => Models.GetValue(_options, _ => base.Model);

    public DbSet<LeaseRow> Leases => Set<LeaseRow>();
    public DbSet<DataProtectionKey> DataProtectionKeys => Set<DataProtectionKey>();

    /// <summary>Runs <paramref name="update"/> and, if it changed a row, <paramref name="then"/>: both or neither.</summary>
    /// <param name="then">An INSERT that reads the table <c>changed</c>, which has one row for each row that was changed.</param>
    /// <returns>Whether a row was changed.</returns>
    public abstract Task<bool> UpdateThenAsync(FormattableString update, FormattableString then, CancellationToken cancellationToken);

    /// <summary>The column of rows by which an update finds what it changes.</summary>
    public const string RowId = "row_id";

    /// <summary>Updates rows and inserts what follows from those that were changed: all or nothing.</summary>
    /// <param name="update">An UPDATE … FROM {0} WHERE … that skips rows that are up to date already.</param>
    /// <param name="then">An INSERT that reads the rows that were changed as the table <c>changed</c>.</param>
    /// <param name="rows">Their first column is <see cref="RowId"/>.</param>
    /// <returns>The ids of the rows that were changed.</returns>
    public abstract Task<HashSet<long>> UpdateRowsThenAsync(
        string update,
        string then,
        RowsParameter rows,
        CancellationToken cancellationToken
    );

    /// <summary>Inserts rows and then what follows from them, such as their audit entries: all or nothing.</summary>
    /// <param name="insert">The SQL after INSERT INTO and the table: columns, and a SELECT … FROM {0} that skips rows that exist.</param>
    /// <param name="returning">The columns that the following statements read.</param>
    /// <param name="then">INSERTs that read the inserted rows as the table <c>inserted</c>.</param>
    /// <param name="arguments">Further arguments of <paramref name="insert"/>, from {1} on.</param>
    /// <returns>How many rows were inserted. Fewer than given: some existed, and the caller must read again.
    /// SQLite then inserts none.</returns>
    public abstract Task<int> InsertAsync(
        string table,
        string insert,
        string returning,
        IReadOnlyList<string> then,
        RowsParameter rows,
        CancellationToken cancellationToken,
        params object[] arguments
    );

    /// <summary>The SQL function that makes a JSON object of names and values.</summary>
    public abstract string JsonObject { get; }

    /// <summary>Begins a transaction that EF's writes and raw SQL share.</summary>
    public Task<IDbContextTransaction> BeginAsync(CancellationToken cancellationToken)
    {
        _isInTransaction = true;
#pragma warning disable RS0030 // every other call goes through this method
        return Database.BeginTransactionAsync(cancellationToken);
#pragma warning restore RS0030
    }

    /// <summary>Lets the transaction wait for a lock for less than a command may take, so that a lock shows as
    /// <see cref="Outages.IsBusy"/> and not as an outage. SQLite does so by itself.</summary>
    public virtual Task LimitLockWaitAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Runs SQL that EF can't express, or not as fast. Both databases must understand it.</summary>
    /// <returns>How many rows it changed.</returns>
    public abstract Task<int> ExecuteAsync(FormattableString sql, CancellationToken cancellationToken);

    /// <summary>Runs several statements as <see cref="ExecuteAsync"/> does: all or none.</summary>
    /// <returns>How many rows each statement changed.</returns>
    public abstract Task<IReadOnlyList<int>> ExecuteTogetherAsync(
        IReadOnlyList<FormattableString> statements,
        CancellationToken cancellationToken
    );

    /// <inheritdoc cref="ExecuteAsync"/>
    /// <returns>One value for each row.</returns>
    public abstract Task<List<T>> QueryAsync<T>(FormattableString sql, Func<DbDataReader, T> read, CancellationToken cancellationToken);

    /// <summary>Runs two statements in one transaction and, where the database is another machine, in one round trip. The second sees what
    /// the first did, and what others committed before the first ended.</summary>
    /// <returns>One value for each row of each.</returns>
    public abstract Task<(List<TFirst>, List<TSecond>)> QueryTogetherAsync<TFirst, TSecond>(
        FormattableString first,
        Func<DbDataReader, TFirst> readFirst,
        FormattableString second,
        Func<DbDataReader, TSecond> readSecond,
        CancellationToken cancellationToken
    );

    protected static async Task<List<T>> ReadAllAsync<T>(
        DbDataReader reader,
        Func<DbDataReader, T> read,
        CancellationToken cancellationToken
    )
    {
        var rows = new List<T>();
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(read(reader));
        }

        return rows;
    }

    /// <summary>A time in a row that raw SQL returned.</summary>
    public virtual DateTimeOffset TimeOf(DbDataReader row, int column) => row.GetFieldValue<DateTimeOffset>(column);

    /// <summary>Converts a parameter of raw SQL to what the column stores. EF converts only values that go through the model.</summary>
    protected virtual object? ToColumn(object? value) => value is string text ? CleanText.Of(text) : value;

    /// <summary>The SQL that reads rows as the table <c>r</c>.</summary>
    /// <param name="add">Adds a parameter and returns its name.</param>
    protected abstract string RowsFrom(IReadOnlyList<RowValues> columns, Func<object, string> add);

    /// <summary>Whether <c>$1</c> is the name of a parameter, or its position.</summary>
    protected virtual bool HasNamedParameters => true;

    /// <summary>The SQL with its arguments as parameters. An argument that is SQL itself becomes a part of the text.</summary>
    protected string TextOf(FormattableString sql, DbParameterCollection parameters, Func<DbParameter> create)
    {
        var names = Array.ConvertAll<object?, object>(
            sql.GetArguments(),
            argument =>
                argument switch
                {
                    FormattableString part => TextOf(part, parameters, create),
                    RowsParameter rows => RowsFrom(rows.ColumnsIn(Model), Add),
                    _ => Add(ToColumn(argument) ?? DBNull.Value),
                }
        );
        return string.Format(CultureInfo.InvariantCulture, sql.Format, names);

        string Add(object value)
        {
            var parameter = create();
            var name = "$" + (parameters.Count + 1).ToString(CultureInfo.InvariantCulture);
            parameter.ParameterName = HasNamedParameters ? name : "";
            parameter.Value = value;
            parameters.Add(parameter);
            return name;
        }
    }

    /// <summary>The transaction's connection, or a pooled one. EF's own connection would double the cost of a short statement.</summary>
    protected async Task<OpenedConnection> OpenAsync(CancellationToken cancellationToken)
    {
        if (_isInTransaction && Database.CurrentTransaction?.GetDbTransaction() is { Connection: { } shared } transaction)
        {
            return new(shared, transaction);
        }

        var connection = Connect(RelationalOptionsExtension.Extract(_options).ConnectionString!);
        try
        {
            await connection.OpenAsync(cancellationToken);
            return new(connection, null);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    protected abstract DbConnection Connect(string connectionString);

    protected readonly record struct OpenedConnection(DbConnection Connection, DbTransaction? Transaction) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Transaction is null ? Connection.DisposeAsync() : ValueTask.CompletedTask;
    }

    /// <summary>The database server's clock, which all replicas share; null: the database runs on this machine.</summary>
    public abstract Task<DateTimeOffset?> ReadClockAsync(CancellationToken cancellationToken);

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        configurationBuilder.Properties<string>().HaveConversion<Clean>();
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.ApplyConfigurationsFromAssembly(typeof(AutoTicketDbContext).Assembly);
        foreach (var property in modelBuilder.Model.GetEntityTypes().SelectMany(entity => entity.GetProperties()))
        {
            if ((Nullable.GetUnderlyingType(property.ClrType) ?? property.ClrType) is { IsEnum: true } type)
            {
                property.SetValueConverter(typeof(LowerCaseWord<>).MakeGenericType(type));
                property.SetMaxLength(property.GetMaxLength() ?? 16);
            }
        }
    }

    /// <summary>Text is cleaned where it enters. This catches text that was forgotten there, which would stop a whole batch.</summary>
    private sealed class Clean() : ValueConverter<string, string>(text => CleanText.Of(text), text => text);

    /// <summary>Enumerations are stored as lower-case words, because people query by them.</summary>
    private sealed class LowerCaseWord<TEnum>() : ValueConverter<TEnum, string>(value => Words.Of(value), word => Words.Parse<TEnum>(word))
        where TEnum : struct, Enum;
}
