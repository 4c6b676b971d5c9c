using System.Diagnostics.Metrics;
using AutoTicket.Alerts;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;

namespace AutoTicket.Tests.Alerts;

public sealed class DecisionLogTests
{
    /// <summary>Two consoles that write the same rows in different orders would wait for each other.</summary>
    [Fact]
    public void Decisions_are_written_in_one_order_whatever_the_order_in_which_they_were_made()
    {
        List<Decision> decisions =
        [
            .. from id in new[] { "a", "b" }
            from row in new long[] { 0, 7 }
            from path in new[] { DecisionSources.Intake, DecisionSources.Slack }
            from word in new[] { DecisionWord.Folded, DecisionWord.BelowSeverity, DecisionWord.AcceptedWithChange }
            select Decided(id, row, path, word),
        ];

        Assert.Equal(KeysOf(decisions), KeysOf([.. decisions.AsEnumerable().Reverse()]));
    }

    [Fact]
    public async Task A_decision_that_could_not_be_recorded_is_not_counted()
    {
        var path = $"{Guid.NewGuid()}";
        var counted = 0L;
        using var meter = new MeterListener();
        meter.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Name == "autoticket.decisions")
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        meter.SetMeasurementEventCallback<long>(
            (_, count, tags, _) =>
            {
                // Tests beside this one count their decisions in the same instrument, on other threads.
                if (tags.ToArray().Any(tag => Equals(tag.Value, path)))
                {
                    Interlocked.Add(ref counted, count);
                }
            }
        );
        meter.Start();
        List<Decision> decisions = [Decided("a", 7, path, DecisionWord.Sent)];

        await new DecisionLog(new Away(), NullLogger<DecisionLog>.Instance).RecordAsync(decisions, default);
        Assert.Equal(0, counted);

        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        await using var console = database.AsTheConsole();
        var log = new DecisionLog(
            (IDbContextFactory<AutoTicketDbContext>)console.GetService(typeof(IDbContextFactory<AutoTicketDbContext>))!,
            NullLogger<DecisionLog>.Instance
        );
        await log.RecordAsync(decisions, default);
        Assert.Equal(1, counted);
    }

    private static Decision Decided(string id, long row, string path, DecisionWord word) =>
        new()
        {
            AlertId = id,
            AlertRow = row,
            Path = path,
            Word = word,
            FirstAt = DateTimeOffset.UnixEpoch,
            LastAt = DateTimeOffset.UnixEpoch,
        };

    private static List<string> KeysOf(List<Decision> decisions)
    {
        var rows = (RowsParameter)DecisionLog.Statement(decisions)!.GetArgument(0)!;
        using var db = new PostgresDbContext.DesignTime().CreateDbContext([]);
        string[] key = ["alert_id", "alert_row", "path", "word"];
        var columns = rows.ColumnsIn(db.Model).Where(column => key.Contains(column.Name)).Select(column => column.Values).ToList();
        return [.. Enumerable.Range(0, rows.Count).Select(row => string.Join('|', columns.Select(values => values.ElementAt(row))))];
    }

    private sealed class Away : IDbContextFactory<AutoTicketDbContext>
    {
        public AutoTicketDbContext CreateDbContext() => throw new TimeoutException();
    }
}
