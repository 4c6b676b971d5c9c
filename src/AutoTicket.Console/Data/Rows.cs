using System.Text;
using System.Text.Json;

namespace AutoTicket.Data;

/// <summary>Many rows as one parameter of raw SQL: <c>$"INSERT … SELECT … FROM {Columns.Of(rows)}"</c> reads them as the table <c>r</c>.</summary>
internal sealed class Rows<T>(params (string Name, string PostgresType, Func<T, object?> Value)[] columns)
{
    public RowsParameter Of(IReadOnlyCollection<T> rows) => new(
        rows.Count,
        [.. columns.Select(column => (column.Name, column.PostgresType))],
        toColumn =>
        {
            using var json = new MemoryStream();
            using (var writer = new Utf8JsonWriter(json))
            {
                writer.WriteStartArray();
                foreach (var row in rows)
                {
                    writer.WriteStartObject();
                    foreach (var (name, _, value) in columns)
                    {
                        writer.WritePropertyName(name);
                        Write(writer, toColumn(value(row)));
                    }

                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
            }

            return Encoding.UTF8.GetString(json.GetBuffer(), 0, (int)json.Length);
        });

    private static void Write(Utf8JsonWriter writer, object? value)
    {
        switch (value)
        {
            case null: writer.WriteNullValue(); break;
            case string text: writer.WriteStringValue(text); break;
            case bool flag: writer.WriteBooleanValue(flag); break;
            case int number: writer.WriteNumberValue(number); break;
            case long number: writer.WriteNumberValue(number); break;
            case DateTimeOffset time: writer.WriteStringValue(time); break;
            default: throw new ArgumentException($"A row can't hold a {value.GetType().Name}.", nameof(value));
        }
    }
}

/// <param name="Json">The rows, their values made what the column holds.</param>
internal sealed record RowsParameter(int Count, IReadOnlyList<(string Name, string PostgresType)> Columns, Func<Func<object?, object?>, string> Json);
