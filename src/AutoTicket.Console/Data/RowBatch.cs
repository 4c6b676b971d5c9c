using System.Text;
using System.Text.Json;

namespace AutoTicket.Data;

/// <summary>Many rows as one argument of raw SQL, which reads them as the table <c>r</c>:
/// <c>$"INSERT … SELECT … FROM {Columns.Of(rows)}"</c>.</summary>
internal sealed class RowBatch<T>(params (string Name, string PostgresType, Func<T, object?> Value)[] columns)
{
    private readonly (string Name, string PostgresType)[] _columns = [.. columns.Select(column => (column.Name, column.PostgresType))];

    /// <summary>The columns, as SQL lists them: <c>alert_id, hook</c>.</summary>
    public string Names { get; } = string.Join(", ", columns.Select(column => column.Name));

    /// <summary>What sets each column but the keys from the rows, as an UPDATE lists it: <c>status = r.status</c>.</summary>
    public string AssignmentsBut(params IReadOnlyCollection<string> keys) =>
        string.Join(", ", columns.Select(column => column.Name).Except(keys).Select(name => $"{name} = r.{name}"));

    public RowsParameter Of(IReadOnlyCollection<T> rows) => new(rows.Count, _columns, column => rows.Select(columns[column].Value));
}

/// <param name="Values">A column's values, one for each row.</param>
internal sealed record RowsParameter(
    int Count,
    IReadOnlyList<(string Name, string PostgresType)> Columns,
    Func<int, IEnumerable<object?>> Values
)
{
    /// <summary>Each row as a batch of one.</summary>
    public IEnumerable<RowsParameter> Each() =>
        Enumerable.Range(0, Count).Select(row => this with { Count = 1, Values = column => Values(column).Skip(row).Take(1) });

    /// <summary>A column's values as PostgreSQL's array.</summary>
    public Array ToArray(int column) =>
        Columns[column].PostgresType switch
        {
            "text" or "jsonb" => Values(column).Select(value => value is null ? null : CleanText.Of((string)value)).ToArray(),
            "int" => Values(column).Select(value => (int?)value).ToArray(),
            "bigint" => Values(column).Select(value => (long?)value).ToArray(),
            "boolean" => Values(column).Select(value => (bool?)value).ToArray(),
            "timestamptz" => Values(column).Select(value => ((DateTimeOffset?)value)?.ToUniversalTime()).ToArray(),
            var type => throw new InvalidOperationException($"A column of rows can't be {type}."),
        };

    /// <summary>A JSON array with one array for each row.</summary>
    /// <param name="toColumn">Converts a value to what the column stores.</param>
    public string ToJson(Func<object?, object?> toColumn)
    {
        var columns = Enumerable.Range(0, Columns.Count).Select(column => Values(column).ToArray()).ToArray();
        using var json = new MemoryStream();
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartArray();
            for (var row = 0; row < Count; row++)
            {
                writer.WriteStartArray();
                foreach (var column in columns)
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
