using System.Net;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Security;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Access;

/// <summary>An open page checks the user's rights at each action, not only when it is rendered.</summary>
public sealed class AdmissionTests
{
    [Theory, BothDatabases]
    [Trait("Pitfall", "T-63")]
    public async Task A_role_change_applies_at_the_next_action_and_the_denied_action_is_audited(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var console = await ConsoleHost.StartAsync(database);
        var sessions = console.Get<Sessions>();
        var user = await sessions.OpenAsync("ada", Roles.Admin, null, default);
        await using var page = console.Get<IServiceScopeFactory>().CreateAsyncScope();
        // Blazor sets the user like this when a circuit starts.
        (
            (IHostEnvironmentAuthenticationStateProvider)page.ServiceProvider.GetRequiredService<AuthenticationStateProvider>()
        ).SetAuthenticationState(Task.FromResult(new AuthenticationState(user)));
        var admission = page.ServiceProvider.GetRequiredService<CircuitAuthorization>();
        Assert.Equal("ada", await admission.AdmitAsync(Rights.Administer, "a test"));

        await using var db = database.Open();
        await db.Sessions.ExecuteUpdateAsync(set => set.SetProperty(session => session.Role, Roles.Operator));
        Assert.Null(await admission.AdmitAsync(Rights.Administer, "flip it"));
        Assert.Equal("ada", await admission.AdmitAsync(Rights.Operate, "a test"));
        await sessions.EndAsync(Schemes.SessionOf(user)!, "signed out", default);
        Assert.Null(await admission.AdmitAsync(Rights.Operate, "file it"));

        var denied = await db.AuditLog.Where(entry => entry.Action == AuditActions.Denied).OrderBy(entry => entry.Id).ToListAsync();
        Assert.Equal(["ada", "ada"], denied.Select(entry => entry.Actor));
        Assert.Contains("flip it", denied[0].Payload, StringComparison.Ordinal);
        Assert.Contains("file it", denied[1].Payload, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_idle_session_ends_and_a_used_one_ends_after_twelve_hours()
    {
        var clock = new StillClock();
        var settings = new Dictionary<string, string?>
        {
            ["CONSOLE_OPERATOR_PASSWORD_HASH"] = Login.Hash("the first password"),
            ["CONSOLE_SESSION_LIFETIME"] = "04:00:00",
        };
        await using var console = await ConsoleHost.StartAsync(settings: settings, environment: "Staging", clock: clock);
        using var visitor = new Visitor(console.Address);
        await visitor.PostFormAsync("/login", "/login", ("password", "the first password"));
        foreach (var hours in new[] { 3, 3, 3, 2.9 })
        {
            clock.Advance(TimeSpan.FromHours(hours));
            Assert.Equal(HttpStatusCode.OK, await visitor.AskAsync("/api/status"));
        }

        clock.Advance(TimeSpan.FromHours(0.2));
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.AskAsync("/api/status"));

        await visitor.PostFormAsync("/login", "/login", ("password", "the first password"));
        Assert.Equal(HttpStatusCode.OK, await visitor.AskAsync("/api/status"));
        clock.Advance(TimeSpan.FromHours(4.1));
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.AskAsync("/api/status"));
        await using var db = console.Get<IDbContextFactory<AutoTicketDbContext>>().CreateDbContext();
        Assert.Equal(
            ["password", "password"],
            await db.AuditLog.Where(entry => entry.Action == AuditActions.SignedIn).Select(entry => entry.Actor).ToListAsync()
        );
    }

    /// <summary>For one of the two only the answer to the write was lost: its entry is stored.</summary>
    [Theory, BothDatabases]
    public async Task A_denied_action_is_audited_once_after_the_database_recovers(Database kind)
    {
        var clock = new StillClock(DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()));
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var console = await ConsoleHost.StartAsync(database, clock: clock);
        await using var db = database.Open();
        await using (var transaction = await db.BeginAsync(default))
        {
            if (kind == Database.Postgres)
            {
                await db.Database.ExecuteSqlAsync($"LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE");
            }

            var requests = console.Get<DeniedRequests>();
            await Task.WhenAll(
                requests.RecordAsync("user:vera", Roles.Viewer, Rights.Operate, "flip it"),
                requests.RecordAsync("user:olga", Roles.Viewer, Rights.Operate, "flip it")
            );
            db.AuditLog.Add(
                new AuditEntry
                {
                    CreatedAt = clock.GetUtcNow(),
                    Action = AuditActions.Denied,
                    Actor = "user:vera",
                    Payload = """{"tried":"flip it","takes":"operator","role":"viewer","tries":1}""",
                }
            );
            await db.SaveChangesAsync();
            await transaction.CommitAsync();
        }

        await clock.AdvanceUntilAsync(
            TimeSpan.FromMinutes(1),
            () => db.AuditLog.AnyAsync(entry => entry.Action == AuditActions.Denied && entry.Actor == "user:olga"),
            "the denied action is in the audit log"
        );
        Assert.Equal(1, await db.AuditLog.CountAsync(entry => entry.Actor == "user:vera"));
    }

    [Fact]
    public async Task The_same_denied_action_is_audited_once_a_minute_with_its_count()
    {
        var clock = new StillClock();
        await using var console = await ConsoleHost.StartAsync(clock: clock);
        var requests = console.Get<DeniedRequests>();
        foreach (var action in new[] { "flip it", "flip it", "flip it", "file it" })
        {
            await requests.RecordAsync("user:vera", Roles.Viewer, Rights.Operate, action);
        }

        clock.Advance(TimeSpan.FromMinutes(1));
        await requests.RecordAsync("user:vera", Roles.Viewer, Rights.Operate, "flip it");

        await using var db = console.Get<IDbContextFactory<AutoTicketDbContext>>().CreateDbContext();
        var denied = await db
            .AuditLog.Where(entry => entry.Action == AuditActions.Denied)
            .OrderBy(entry => entry.Id)
            .Select(entry => entry.Payload)
            .ToListAsync();
        Assert.Equal([1, 1, 3], denied.Select(payload => JsonDocument.Parse(payload).RootElement.GetProperty("tries").GetInt32()));
        Assert.Equal(3, console.Log.Count(line => line.Contains("auth denied", StringComparison.Ordinal)));
    }

    [Fact]
    public void OncePerMinute_lets_each_of_a_thousand_keys_through_once_a_minute_and_keeps_no_more()
    {
        var clock = new StillClock();
        var often = new OncePerMinute(clock);
        Assert.All(Enumerable.Range(0, 1000), kind => Assert.Equal(1, often.Take($"{kind}")));
        Assert.Null(often.Take("one more"));
        Assert.Null(often.Take("7"));
        // A clock that was set back holds nothing back for longer.
        clock.SetBack(TimeSpan.FromHours(1));
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(2, often.Take("7"));
        Assert.Equal(1, often.Take("one more"));
    }

    [Fact]
    public async Task Sessions_end_when_the_password_or_the_provider_changes()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        string id;
        await using (
            var console = await ConsoleHost.StartAsync(
                database,
                settings: new Dictionary<string, string?> { ["CONSOLE_OPERATOR_PASSWORD_HASH"] = Login.Hash("the first password") }
            )
        )
        {
            id = Schemes.SessionOf(await console.Get<Sessions>().OpenAsync("operator", Roles.Admin, null, default))!;
            Assert.NotNull(await console.Get<Sessions>().FindAsync(id, default));
        }

        await using var changed = await ConsoleHost.StartAsync(
            database,
            settings: new Dictionary<string, string?> { ["CONSOLE_OPERATOR_PASSWORD_HASH"] = Login.Hash("another password") }
        );
        Assert.Null(await changed.Get<Sessions>().FindAsync(id, default));
    }

    [Fact]
    public async Task A_value_from_the_sessions_table_opens_no_session()
    {
        await using var console = await ConsoleHost.StartAsync();
        var sessions = console.Get<Sessions>();
        var user = await sessions.OpenAsync("ada", Roles.Admin, null, default);
        var secret = user.FindFirst(Schemes.SessionClaim)!.Value;
        await using var db = console.Get<IDbContextFactory<AutoTicketDbContext>>().CreateDbContext();
        var row = await db.Sessions.AsNoTracking().SingleAsync();

        Assert.DoesNotContain(secret, System.Text.Json.JsonSerializer.Serialize(row), StringComparison.Ordinal);
        Assert.NotNull(await sessions.CurrentAsync(user, default));
        Assert.Null(await sessions.CurrentAsync(Schemes.Principal("ada", Roles.Admin, Schemes.Cookie, row.Id), default));
        // After a role change the cookie is issued again with the new role, for the same session.
        await db.Sessions.ExecuteUpdateAsync(set => set.SetProperty(session => session.Role, Roles.Viewer));
        var changed = await sessions.CurrentAsync(user, default);
        Assert.Equal((Roles.Viewer, row.Id), (Roles.Of(changed!), Schemes.SessionOf(changed!)));
        Assert.NotNull(await sessions.CurrentAsync(changed!, default));
    }

    [Fact]
    public void Each_role_holds_the_rights_of_the_lesser_ones()
    {
        foreach (var right in Rights.All)
        {
            var holders = Roles.All.Where(role => Rights.Allows(right, Schemes.Principal("x", role, Schemes.Cookie))).ToList();
            Assert.Equal(Roles.All.Skip(Roles.All.Count - holders.Count), holders);
            Assert.Equal(holders, Rights.HoldersOf(right));
        }

        Assert.False(Rights.Allows(Rights.See, new System.Security.Claims.ClaimsPrincipal(new System.Security.Claims.ClaimsIdentity())));
    }
}
