using System.Diagnostics;
using System.Net;
using AutoTicket.Tests.Alerts;
using AutoTicket.Tests.Kit;

namespace AutoTicket.Tests.Storage;

/// <summary>The database's disk is full: the click says so, no ticket is filed without its row, and filing recovers by itself.</summary>
public sealed class DiskFullTests
{
    [Fact]
    public async Task PostgreSQL_without_space_files_nothing_until_there_is_space()
    {
        await using var driver = await InvestigateDriver.StartAsync(Database.Postgres);
        await using var db = driver.Database.Open();
        await db.ExecuteTogetherAsync(
            [
                $"""
                CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
                  RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
                END $f$
                """,
                $"CREATE TRIGGER no_space BEFORE INSERT ON tickets FOR EACH STATEMENT EXECUTE FUNCTION no_space()",
            ],
            default
        );

        await AssertRefusedAsync(driver.Console, InvestigateDriver.Surface);
        Assert.DoesNotContain(driver.FreeScout.RecordedRequests, request => request.Method == "POST");
        await db.ExecuteAsync($"DROP TRIGGER no_space ON tickets", default);

        Assert.Equal("filed", (await driver.ClickAsync()).Disposition);
        await driver.AssertOneTicketAsync();
    }

    /// <summary>No disk is full, but it ends as quietly: the sender repeats the alert.</summary>
    [Fact]
    public async Task PostgreSQL_that_takes_a_right_away_makes_the_intake_answer_503_until_it_is_given_back()
    {
        await using var intake = await IntakeHost.StartAsync(Database.Postgres);
        await using var db = intake.Database.Open();
        await db.ExecuteTogetherAsync(
            [
                $"""
                CREATE FUNCTION revoked() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
                  RAISE EXCEPTION 'permission denied for table alerts' USING ERRCODE = 'insufficient_privilege';
                END $f$
                """,
                $"CREATE TRIGGER revoked BEFORE INSERT ON alerts FOR EACH STATEMENT EXECUTE FUNCTION revoked()",
            ],
            default
        );

        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await PostAsync()).Status);
        Assert.Contains(
            intake.Console.Log,
            line =>
                line.StartsWith("WARNING", StringComparison.Ordinal)
                && line.Contains("permission denied for table alerts", StringComparison.Ordinal)
        );
        await db.ExecuteAsync($"DROP TRIGGER revoked ON alerts", default);

        Assert.Equal(HttpStatusCode.Accepted, (await PostAsync()).Status);

        Task<(HttpStatusCode Status, System.Text.Json.JsonElement Body)> PostAsync() =>
            intake.PostAsync("/api/alerts", AlertIntakeTests.Alert("a"));
    }

    [Fact]
    public async Task SQLite_on_a_full_disk_files_nothing_until_there_is_space()
    {
        var disk = Directory.CreateTempSubdirectory("autoticket-disk-");
        await RunAsync("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk.FullName);
        try
        {
            await using var migrated = await TestDatabase.CreateAsync(Database.Sqlite);
            var file = Path.Combine(disk.FullName, "autoticket.db");
            File.Copy(migrated.Location, file);
            await using var driver = await InvestigateDriver.StartAsync(
                settings: new Dictionary<string, string?> { ["AUTOTICKET_SQLITE_PATH"] = file }
            );
            Assert.Equal(HttpStatusCode.OK, (await driver.Console.Http.GetAsync(new Uri("/api/status", UriKind.Relative))).StatusCode);
            var filler = Path.Combine(disk.FullName, "filler");
            Fill(filler);

            await AssertRefusedAsync(driver.Console, InvestigateDriver.Surface);
            Assert.Equal(0, driver.FreeScout.CreatedCount);
            File.Delete(filler);

            Assert.Equal("filed", (await driver.ClickAsync()).Disposition);
            Assert.Equal(1, driver.FreeScout.CreatedCount);
        }
        finally
        {
            await RunAsync("umount", "-l", disk.FullName);
            disk.Delete();
        }
    }

    private static async Task AssertRefusedAsync(ConsoleHost console, string surface)
    {
        using var answer = await console.Http.PostAsync(new Uri($"/api/surfaces/{surface}/investigate", UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Contains("no second ticket", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Contains(
            console.Log,
            line => line.StartsWith("WARNING", StringComparison.Ordinal) && line.Contains("ticket filing failed", StringComparison.Ordinal)
        );
    }

    private static void Fill(string path)
    {
        using var filler = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        try
        {
            while (true)
            {
                filler.Write(new byte[512]);
            }
        }
        catch (IOException)
        {
            // Full.
        }
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        Assert.True(
            process.ExitCode == 0,
            $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: these tests run as root, who may mount."
        );
    }
}
