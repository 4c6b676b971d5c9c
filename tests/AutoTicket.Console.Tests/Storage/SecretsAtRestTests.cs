using System.Security.Cryptography;
using AutoTicket.Data;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Storage;

/// <summary>What a reader of the disk or the database can find.</summary>
public sealed class SecretsAtRestTests
{
    private static readonly string Key = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    [Fact]
    public async Task The_embedded_databases_files_are_readable_only_by_their_owner()
    {
        var folder = Directory.CreateTempSubdirectory("autoticket-at-rest-");
        try
        {
            await using (
                var console = await ConsoleHost.StartAsync(
                    settings: new Dictionary<string, string?> { ["AUTOTICKET_SQLITE_PATH"] = Path.Combine(folder.FullName, "a.db") }
                )
            )
            {
                var files = folder.GetFiles();
                Assert.Equal(["a.db", "a.db-shm", "a.db-wal"], files.Select(file => file.Name).Order(StringComparer.Ordinal));
                Assert.All(files, file => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, file.UnixFileMode));
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory, BothDatabases]
    public async Task With_a_key_encryption_key_the_stored_keys_are_unreadable_and_older_ones_still_work(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        string before,
            after;
        await using (var open = await ConsoleHost.StartAsync(database))
        {
            before = Protector(open).Protect("before");
        }

        await using var db = database.Open();
        Assert.Contains("<value>", (await db.DataProtectionKeys.SingleAsync()).Xml, StringComparison.Ordinal);
        var settings = new Dictionary<string, string?> { [KeyEncryption.Variable] = Key };
        await using (var wrapping = await ConsoleHost.StartAsync(database, settings: settings))
        {
            Assert.Equal("before", Protector(wrapping).Unprotect(before));
        }

        await db.DataProtectionKeys.ExecuteDeleteAsync();
        await using (var wrapping = await ConsoleHost.StartAsync(database, settings: settings))
        {
            after = Protector(wrapping).Protect("after");
        }

        Assert.DoesNotContain("<value>", (await db.DataProtectionKeys.AsNoTracking().SingleAsync()).Xml, StringComparison.Ordinal);
        await using var restarted = await ConsoleHost.StartAsync(database, settings: settings);
        Assert.Equal("after", Protector(restarted).Unprotect(after));
    }

    private static IDataProtector Protector(ConsoleHost console) => console.Get<IDataProtectionProvider>().CreateProtector("a test");
}
