using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Sandbox;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Packaging;
using AutoTicket.Tickets;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Storage;

/// <summary>A backup and its restore, by the commands and the flags of docs/upgrade-and-backup.md.</summary>
public sealed partial class BackupTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(ContentRoot.Find(), "docs", "upgrade-and-backup.md"));

    [Theory, BothDatabases]
    public async Task A_ticket_filed_after_the_backup_is_adopted_after_the_restore_and_gets_no_twin(Database kind)
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var database = await TestDatabase.CreateAsync(kind);
        var folder = Directory.CreateTempSubdirectory("autoticket-backup-");
        sandbox.Surface("shop").Answer(503);
        sandbox.Surface("pay").Answer(200);
        var settings = new Dictionary<string, string?>(
            ConsoleHost
                .SurfaceSettings(0, "shop", sandbox.Surface("shop").Url)
                .Concat(ConsoleHost.SurfaceSettings(1, "pay", sandbox.Surface("pay").Url))
        )
        {
            ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
            ["Status:PollInterval"] = "00:00:00.3",
            ["Ticketing:SyncInterval"] = "00:00:01",
            ["Ticketing:ReconcileInterval"] = "00:00:01",
            // The backup holds the lease of the first console, which the second one waits for.
            ["Leader:Lease"] = "00:00:03",
        };

        await using (var before = await ConsoleHost.StartAsync(database, sandbox, settings))
        {
            await TaggedAsync("shop");
            await Eventually.TrueAsync(
                () => before.Get<StatusBoard>().All().Single(surface => surface.Surface.Key == "pay").Status == SurfaceStatus.Operational,
                "pay is up"
            );
            await TypeAsync("Backup");
            sandbox.Surface("pay").Answer(503);
            await TaggedAsync("pay");
        }

        database.ClearSqlitePool();
        var filed = sandbox.FreeScout.Conversations.Single(conversation => conversation.Tags.Contains("surface:pay")).Id;
        await TypeAsync("Restore");
        Assert.Equal([("shop", AuditActions.AlertTicketFiled)], await RowsAsync());

        var flags = Flag().Matches(Section("Restore")).ToDictionary(flag => flag.Groups[1].Value, flag => (string?)flag.Groups[2].Value);
        Assert.Equal(2, flags.Count);
        var quiet = settings.Where(setting => !flags.ContainsKey(setting.Key)).Concat(flags).ToDictionary();
        await using (await ConsoleHost.StartAsync(database, sandbox, quiet))
        {
            await Eventually.TrueAsync(async () => (await RowsAsync()).Count == 2, "the console adopts the ticket");
            await Eventually.TrueAsync(
                () => HasAsync(db => db.Decisions.Where(decision => decision.Word == DecisionWord.FlagOff)),
                "the alert fires again, and the flag holds its ticket back"
            );
        }

        Assert.Equal([("shop", AuditActions.AlertTicketFiled), ("pay", AuditActions.TicketReconciled)], await RowsAsync());
        await using var after = await ConsoleHost.StartAsync(database, sandbox, settings);
        await after.WaitForFlagsAsync();
        await Eventually.TrueAsync(
            () => HasAsync(db => db.AlertDeliveries.Where(delivery => delivery.TicketId == filed)),
            "the alert has the adopted ticket"
        );
        using var click = await after.Http.PostAsync(new Uri("/api/surfaces/pay/investigate", UriKind.Relative), null);
        var answer = await click.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal("already_open", answer.GetProperty("disposition").GetString());
        Assert.Equal(2, sandbox.FreeScout.CreatedCount);
        folder.Delete(recursive: true);

        Task TaggedAsync(string surface) =>
            Eventually.TrueAsync(
                () =>
                    sandbox.FreeScout.Conversations.Any(conversation =>
                        conversation.Tags.Contains("auto:status") && conversation.Tags.Contains($"surface:{surface}")
                    ),
                $"the ticket of {surface} is filed"
            );

        async Task TypeAsync(string heading)
        {
            var name = kind == Database.Postgres ? "$DATABASE_URL" : "autoticket.db";
            var commands = Assert.Single(
                Commands().Matches(Section(heading)),
                block => block.Value.Contains(name, StringComparison.Ordinal)
            );
            await Shell.RunAsync(
                $"cd {folder.FullName} && export DATABASE_URL='{database.Location}'\n"
                    + commands.Groups[1].Value.Replace("autoticket.db", database.Location, StringComparison.Ordinal)
            );
        }

        async Task<List<(string?, string)>> RowsAsync()
        {
            await using var db = database.Open();
            var rows = await db.Tickets.Where(ticket => ticket.ConversationId != null).OrderBy(ticket => ticket.Id).ToListAsync();
            return [.. rows.Select(ticket => (ticket.SurfaceKey, ticket.AuditAction))];
        }

        async Task<bool> HasAsync<T>(Func<Data.AutoTicketDbContext, IQueryable<T>> rows)
        {
            await using var db = database.Open();
            return await rows(db).AnyAsync();
        }
    }

    private static string Section(string heading) => Page.Split($"## {heading}\n")[1].Split("\n## ")[0];

    [GeneratedRegex(@"```console\n(.*?)\n *```", RegexOptions.Singleline)]
    private static partial Regex Commands();

    [GeneratedRegex(@"(FLAG_\w+)=(\w+)")]
    private static partial Regex Flag();
}
