using System.Net;
using System.Text;
using AutoTicket.Audit;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Access;

/// <summary>A slow reader of the audit log's export takes no resources from other users.</summary>
public sealed class ExportTests(ExportTests.Shared shared) : IClassFixture<ExportTests.Shared>
{
    private static readonly Uri Export = new("/api/audit.csv?action=a.test", UriKind.Relative);

    [Fact]
    public async Task Slow_readers_hold_no_pooled_connection()
    {
        var log = shared.Console.Get<AuditQueries>();
        // More readers than the pool has connections.
        var readers = Enumerable.Range(0, 45).Select(_ => new Reader()).ToList();
        var exports = readers.ConvertAll(reader => WriteAsync(log, "a.page", reader));
        await Task.WhenAll(readers.Select(reader => reader.IsStuck.Task)).WaitAsync(Eventually.Patience);

        Assert.NotNull(await log.ReadAsync(new AuditQuery(), 1, default));

        readers.ForEach(reader => reader.GoesOn.SetResult());
        Assert.All(await Task.WhenAll(exports), Assert.True);
        Assert.All(readers, reader => Assert.Equal(Shared.MoreThanAPage + 1, reader.Lines));
    }

    [Fact]
    public async Task A_caller_has_at_most_two_exports_at_a_time()
    {
        using (var first = await shared.AskAsync(Export))
        using (var second = await shared.AskAsync(Export))
        {
            Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (first.StatusCode, second.StatusCode));
            using var third = await shared.AskAsync(new("/api/alerts.json", UriKind.Relative));
            Assert.Equal(HttpStatusCode.TooManyRequests, third.StatusCode);
        }

        await Eventually.TrueAsync(
            async () =>
            {
                using var again = await shared.AskAsync(Export);
                return again.StatusCode == HttpStatusCode.OK;
            },
            "a finished export frees its slot"
        );
    }

    [Fact]
    public async Task An_export_without_the_database_is_refused_and_a_running_one_is_cut_off()
    {
        var log = shared.Console.Get<AuditQueries>();
        var reader = new Reader();
        var export = WriteAsync(log, "a.test", reader);
        await reader.IsStuck.Task.WaitAsync(Eventually.Patience);
        await using var db = shared.Database.Open();
        await db.Database.ExecuteSqlRawAsync("ALTER TABLE audit_log RENAME TO audit_log_away");
        try
        {
            using var refused = await shared.AskAsync(Export);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            reader.GoesOn.SetResult();
            Assert.False(await export);
        }
        finally
        {
            await db.Database.ExecuteSqlRawAsync("ALTER TABLE audit_log_away RENAME TO audit_log");
        }
    }

    private static async Task<bool> WriteAsync(AuditQueries log, string action, TextWriter reader)
    {
        return await AuditEndpoints.Table.WriteCsvAsync(reader, (await ReadAsync(null))!, last => ReadAsync(last.Id));

        Task<IReadOnlyList<AuditEntry>?> ReadAsync(long? before) =>
            log.ReadAsync(new AuditQuery(action, Before: before), TableExport.PageRows, default);
    }

    /// <summary>Stops reading in the middle of a row.</summary>
    private sealed class Reader : StringWriter
    {
        public TaskCompletionSource IsStuck { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource GoesOn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Lines { get; private set; }

        public override Encoding Encoding => Encoding.UTF8;

        public override Task WriteAsync(string? value)
        {
            Lines++;
            if (!value!.Contains("nobody", StringComparison.Ordinal))
            {
                return Task.CompletedTask;
            }

            IsStuck.TrySetResult();
            return GoesOn.Task;
        }
    }

    public sealed class Shared : IAsyncLifetime
    {
        /// <summary>More rows than fit into the buffers of a connection.</summary>
        public const int Rows = 20_000;

        public const int MoreThanAPage = 600;

        internal TestDatabase Database { get; private set; } = null!;

        internal ConsoleHost Console { get; private set; } = null!;

        internal Task<HttpResponseMessage> AskAsync(Uri path) => Console.Http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead);

        public async Task InitializeAsync()
        {
            Database = await TestDatabase.CreateAsync(Kit.Database.Postgres);
            Console = await ConsoleHost.StartAsync(Database);
            await using var db = Database.Open();
            await db.Database.ExecuteSqlRawAsync(
                $"""
                INSERT INTO audit_log (created_at, action, actor, payload)
                SELECT now(), 'a.test', 'nobody', jsonb_build_object('text', repeat('x', 700)) FROM generate_series(1, {Rows});
                INSERT INTO audit_log (created_at, action, actor, payload)
                SELECT now(), 'a.page', 'nobody', jsonb_build_object() FROM generate_series(1, {MoreThanAPage})
                """
            );
        }

        public async Task DisposeAsync()
        {
            await Console.DisposeAsync();
            await Database.DisposeAsync();
        }
    }
}
