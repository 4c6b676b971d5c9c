using System.Globalization;
using System.Net.Mime;
using System.Text.Json;
using Microsoft.Extensions.Options;
using JsonOptions = Microsoft.AspNetCore.Http.Json.JsonOptions;

namespace AutoTicket.Hosting;

internal static class TableExport
{
    // The formats, as their media types.
    public const string Csv = MediaTypeNames.Text.Csv;
    public const string Json = MediaTypeNames.Application.Json;

    /// <summary>How many rows a page should have.</summary>
    public const int PageRows = 500;

    public static readonly IReadOnlyList<string> Formats = [Csv, Json];

    /// <returns>The path of a table's file: <c>/api/tickets.csv</c>.</returns>
    public static string PathOf(string table, string format) => $"{table}.{(format == Csv ? "csv" : "json")}";

    /// <summary>Describes an export in the OpenAPI document.</summary>
    /// <param name="name">In the operation's id: <c>ExportTicketsAsCsv</c>.</param>
    /// <param name="rows">What is exported, for the summary.</param>
    /// <typeparam name="TAnswer">A row in JSON.</typeparam>
    public static void Describe<TAnswer>(this RouteHandlerBuilder export, string format, string name, string rows) =>
        export
            .WithName($"Export{name}As{(format == Csv ? "Csv" : "Json")}")
            .WithSummary($"{rows}, as {(format == Csv ? "CSV" : "JSON")}.")
            .Produces(200, format == Csv ? typeof(string) : typeof(IReadOnlyList<TAnswer>), format)
            .ProducesProblem(503);
}

/// <summary>A table as a file to download, CSV or JSON. Each page of rows is read completely before it is written, so that a slow reader
/// does not hold a database connection.</summary>
/// <param name="name">Of the file, without its ending.</param>
/// <param name="columns">Of the CSV.</param>
/// <param name="toJson">A row as an object of the JSON array.</param>
internal sealed class TableExport<TRow>(
    string name,
    IReadOnlyList<(string Name, Func<TRow, object?> Of)> columns,
    Func<TRow, object> toJson
)
    where TRow : class
{
    /// <summary>Sends rows that are all in memory.</summary>
    public Task<IResult> SendWholeAsync(string format, IReadOnlyList<TRow> rows, HttpContext context) =>
        SendAsync(format, (last, _) => Task.FromResult<IReadOnlyList<TRow>?>(last is null ? rows : []), context);

    /// <param name="format"><see cref="TableExport.Csv"/> or <see cref="TableExport.Json"/>.</param>
    /// <param name="read">Reads the page that follows a row, the first page for null; an empty one ends the table. Null: the database
    /// can't be reached.</param>
    public async Task<IResult> SendAsync(
        string format,
        Func<TRow?, CancellationToken, Task<IReadOnlyList<TRow>?>> read,
        HttpContext context
    )
    {
        if (await read(null, context.RequestAborted) is not { } first)
        {
            return Results.Problem(title: "The console's database can't be reached.", statusCode: 503);
        }

        var json = context.RequestServices.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions;
        return Results.Stream(
            async stream =>
            {
                await using var writer = new StreamWriter(stream);
                var isWhole =
                    format == TableExport.Csv ? await WriteCsvAsync(writer, first, Next) : await WriteJsonAsync(writer, first, Next, json);
                if (!isWhole)
                {
                    // Abort, because a download that ends normally would look complete.
                    context.Abort();
                }
            },
            format == TableExport.Csv ? $"{format}; charset=utf-8" : format,
            TableExport.PathOf(name, format)
        );

        Task<IReadOnlyList<TRow>?> Next(TRow last) => read(last, context.RequestAborted);
    }

    /// <returns>False: the database went away after the first page, so rows are missing.</returns>
    public async Task<bool> WriteCsvAsync(TextWriter writer, IReadOnlyList<TRow> first, Func<TRow, Task<IReadOnlyList<TRow>?>> next)
    {
        await writer.WriteAsync($"{string.Join(',', columns.Select(column => column.Name))}\r\n");
        return await WriteAsync(
            first,
            next,
            (row, _) => writer.WriteAsync($"{string.Join(',', columns.Select(column => Cell(column.Of(row))))}\r\n")
        );
    }

    private async Task<bool> WriteJsonAsync(
        TextWriter writer,
        IReadOnlyList<TRow> first,
        Func<TRow, Task<IReadOnlyList<TRow>?>> next,
        JsonSerializerOptions options
    )
    {
        await writer.WriteAsync("[");
        var isWhole = await WriteAsync(
            first,
            next,
            (row, isFirst) => writer.WriteAsync($"{(isFirst ? "" : ",")}\n{JsonSerializer.Serialize(toJson(row), options)}")
        );
        await writer.WriteAsync("\n]\n");
        return isWhole;
    }

    private static async Task<bool> WriteAsync(
        IReadOnlyList<TRow> first,
        Func<TRow, Task<IReadOnlyList<TRow>?>> next,
        Func<TRow, bool, Task> write
    )
    {
        var isFirst = true;
        IReadOnlyList<TRow>? page = first;
        while (page is { Count: > 0 })
        {
            foreach (var row in page)
            {
                await write(row, isFirst);
                isFirst = false;
            }

            page = await next(page[^1]);
        }

        return page is not null;
    }

    private static string Cell(object? value) =>
        value switch
        {
            null => "",
            DateTimeOffset time => time.UtcDateTime.ToString("O", CultureInfo.InvariantCulture),
            bool isTrue => isTrue ? "true" : "false",
            Enum word => Quoted(JsonNamingPolicy.SnakeCaseLower.ConvertName($"{word}")),
            string text => Quoted(text),
            IEnumerable<string> texts => Quoted(string.Join(' ', texts)),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };

    /// <summary>Quotes the text. A leading apostrophe keeps a spreadsheet from running it as a formula.</summary>
    private static string Quoted(string text)
    {
        var mark = text is ['=' or '+' or '-' or '@' or '\t' or '\r', ..] ? "'" : "";
        return $"\"{mark}{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }
}
