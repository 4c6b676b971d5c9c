using System.Linq.Expressions;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;

namespace AutoTicket.Data;

/// <summary>Many rows as one argument of raw SQL, which reads them as the table <c>r</c>:
/// <c>$"INSERT … SELECT … FROM {Columns.Of(rows)}"</c>.</summary>
internal sealed class RowBatch<T>
{
    private readonly Func<IModel, IEnumerable<RowColumn<T>>> _columnsOf;
    private readonly ConditionalWeakTable<IModel, RowColumn<T>[]> _columns = new();

    /// <summary>Columns that no entity has. Their PostgreSQL type is text, int, bigint, boolean, timestamptz or jsonb.</summary>
    public RowBatch(params (string Name, string PostgresType, Func<T, object?> Value)[] columns)
        : this(_ => columns.Select(column => new RowColumn<T>(column.Name, column.PostgresType, column.Value))) { }

    private RowBatch(Func<IModel, IEnumerable<RowColumn<T>>> columnsOf) => _columnsOf = columnsOf;

    /// <summary>Columns of the entity's table: the EF model has their names, types and conversions.</summary>
    public static RowBatch<T> OfEntity<TEntity>(Func<T, TEntity> entity, params Expression<Func<TEntity, object?>>[] properties)
        where TEntity : class => new(model => properties.Select(property => ColumnOf(model, entity, property)));

    /// <summary>These columns and further ones.</summary>
    public RowBatch<T> And(params (string Name, string PostgresType, Func<T, object?> Value)[] more)
    {
        var others = new RowBatch<T>(more);
        return new(model => _columnsOf(model).Concat(others._columnsOf(model)));
    }

    /// <summary>The columns, as SQL lists them: <c>alert_id, hook</c>.</summary>
    public FormattableString NamesIn(AutoTicketDbContext db) =>
        FormattableStringFactory.Create(string.Join(", ", In(db.Model).Select(column => column.Name)));

    /// <summary>What sets each column but the keys from the rows, as an UPDATE lists it: <c>status = r.status</c>.</summary>
    public FormattableString AssignmentsIn(AutoTicketDbContext db, params IReadOnlyCollection<string> but) =>
        FormattableStringFactory.Create(
            string.Join(", ", In(db.Model).Select(column => column.Name).Except(but).Select(name => $"{name} = r.{name}"))
        );

    public RowsParameter Of(IReadOnlyCollection<T> rows) =>
        new(
            rows.Count,
            model => [.. In(model).Select(column => new RowValues(column.Name, column.PostgresType, rows.Select(column.Value)))]
        );

    private RowColumn<T>[] In(IModel model) => _columns.GetValue(model, key => [.. _columnsOf(key)]);

    private static RowColumn<T> ColumnOf<TEntity>(IModel model, Func<T, TEntity> entity, Expression<Func<TEntity, object?>> of)
        where TEntity : class
    {
        var member = ((MemberExpression)(of.Body is UnaryExpression boxed ? boxed.Operand : of.Body)).Member;
        var property = model.FindEntityType(typeof(TEntity))!.FindProperty(member)!;
        var mapping = property.GetRelationalTypeMapping();
        var getter = property.PropertyInfo!;
        var convert = mapping.Converter?.ConvertToProvider ?? (value => value);
        return new(
            property.GetColumnName(),
            mapping.StoreType == "jsonb" ? "jsonb" : TypeName(mapping.Converter?.ProviderClrType ?? mapping.ClrType),
            row => convert(getter.GetValue(entity(row)))
        );
    }

    // Not the column's own type: a cast to varchar(64) would cut a text that is too long instead of refusing it.
    private static string TypeName(Type type) =>
        (Nullable.GetUnderlyingType(type) ?? type).Name switch
        {
            nameof(String) => "text",
            nameof(Int32) => "int",
            nameof(Int64) => "bigint",
            nameof(Boolean) => "boolean",
            nameof(DateTimeOffset) => "timestamptz",
            var other => throw new InvalidOperationException($"A column of rows can't be {other}."),
        };
}

internal static class RowBatch
{
    /// <inheritdoc cref="RowBatch{T}.OfEntity"/>
    public static RowBatch<TEntity> Of<TEntity>(params Expression<Func<TEntity, object?>>[] properties)
        where TEntity : class => RowBatch<TEntity>.OfEntity(entity => entity, properties);
}

internal sealed record RowColumn<T>(string Name, string PostgresType, Func<T, object?> Value);

/// <param name="Values">The column's values, one for each row.</param>
internal sealed record RowValues(string Name, string PostgresType, IEnumerable<object?> Values)
{
    /// <summary>The values as PostgreSQL's array.</summary>
    public Array ToArray() =>
        PostgresType switch
        {
            "text" or "jsonb" => Values.Select(value => value is null ? null : CleanText.Of((string)value)).ToArray(),
            "int" => Values.Select(value => (int?)value).ToArray(),
            "bigint" => Values.Select(value => (long?)value).ToArray(),
            "boolean" => Values.Select(value => (bool?)value).ToArray(),
            "timestamptz" => Values.Select(value => ((DateTimeOffset?)value)?.ToUniversalTime()).ToArray(),
            var type => throw new InvalidOperationException($"A column of rows can't be {type}."),
        };
}

/// <param name="ColumnsIn">The columns with their values, in the model of the database.</param>
internal sealed record RowsParameter(int Count, Func<IModel, IReadOnlyList<RowValues>> ColumnsIn)
{
    /// <summary>Each row as a batch of one.</summary>
    public IEnumerable<RowsParameter> Each() =>
        Enumerable
            .Range(0, Count)
            .Select(row => new RowsParameter(
                1,
                model => [.. ColumnsIn(model).Select(column => column with { Values = column.Values.Skip(row).Take(1) })]
            ));

    /// <summary>A JSON array with one array for each row.</summary>
    /// <param name="toColumn">Converts a value to what the column stores.</param>
    public static string ToJson(IReadOnlyList<RowValues> columns, Func<object?, object?> toColumn)
    {
        var values = columns.Select(column => column.Values.ToArray()).ToArray();
        using var json = new MemoryStream();
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartArray();
            for (var row = 0; row < values[0].Length; row++)
            {
                writer.WriteStartArray();
                foreach (var column in values)
                {
                    Write(writer, toColumn(column[row]));
                }

                writer.WriteEndArray();
            }

            writer.WriteEndArray();
        }

        return Encoding.UTF8.GetString(json.GetBuffer(), 0, (int)json.Length);
    }

    private static void Write(Utf8JsonWriter writer, object? value)
    {
        switch (value)
        {
            case null:
                writer.WriteNullValue();
                break;
            case string text:
                writer.WriteStringValue(text);
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case int number:
                writer.WriteNumberValue(number);
                break;
            case long number:
                writer.WriteNumberValue(number);
                break;
            default:
                throw new ArgumentException($"A row can't hold a {value.GetType().Name}.", nameof(value));
        }
    }
}
