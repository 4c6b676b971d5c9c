using System.Net;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Security;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Access;

/// <summary>Wrong passwords lock the sign-in, for one address or for all.</summary>
public sealed class LockoutTests
{
    private const string Password = "correct horse battery";
    private static readonly Dictionary<string, string?> Settings = new() { ["CONSOLE_OPERATOR_PASSWORD_HASH"] = Login.Hash(Password) };

    [Theory, BothDatabases]
    public async Task Five_wrong_passwords_lock_the_address_out_in_every_process_for_fifteen_minutes(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        var clock = new StillClock();
        await using var console = await ConsoleHost.StartAsync(database, settings: Settings, environment: "Staging", clock: clock);
        await using var replica = await ConsoleHost.StartAsync(database, settings: Settings, environment: "Staging", clock: clock);
        for (var i = 1; i <= Lockout.PerAddress; i++)
        {
            Assert.StartsWith("/login?wrong=1", await TryAsync(i % 2 == 0 ? console : replica, "not it"), StringComparison.Ordinal);
        }

        clock.Advance(TimeSpan.FromMinutes(3.5));
        Assert.StartsWith("/login?wait=12", await TryAsync(console, Password), StringComparison.Ordinal);
        using (var visitor = new Visitor(console.Address))
        {
            Assert.Contains("Sign-in is locked for 12 min", (await visitor.GoAsync("/login?wait=12")).Page, StringComparison.Ordinal);
        }

        await using var db = database.Open();
        var denied = await db
            .AuditLog.Where(entry => entry.Action == AuditActions.Denied)
            .OrderBy(entry => entry.Id)
            .Select(entry => entry.Payload)
            .ToListAsync();
        Assert.Equal(Lockout.PerAddress, denied.Count);
        Assert.All(denied[..^1], payload => Assert.Contains("false", payload, StringComparison.Ordinal));
        Assert.Contains("true", denied[^1], StringComparison.Ordinal);
        Assert.Contains("127.0.0.1", denied[^1], StringComparison.Ordinal);

        clock.Advance(TimeSpan.FromMinutes(11.6));
        Assert.Equal("/", await TryAsync(console, Password));
        Assert.Empty(await db.SignInFailures.AsNoTracking().ToListAsync());
    }

    [Fact]
    public async Task Wrong_passwords_that_the_database_can_not_count_are_audited_and_logged_once_a_minute()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var console = await ConsoleHost.StartAsync(database, settings: Settings, environment: "Staging");
        using var one = new Visitor(console.Address);
        using var other = new Visitor(console.Address);
        await using var db = database.Open();
        await using (await db.BeginAsync(default))
        {
            await db.Database.ExecuteSqlAsync($"LOCK TABLE sign_in_failures IN EXCLUSIVE MODE");
            var answers = await Task.WhenAll(
                one.PostFormAsync("/login", "/login", ("password", "not it")),
                other.PostFormAsync("/login", "/login", ("password", "not it either"))
            );
            Assert.All(answers, answer => Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode));
        }

        var denied = await db.AuditLog.Where(entry => entry.Action == AuditActions.Denied).Select(entry => entry.Payload).ToListAsync();
        Assert.Equal(2, denied.Count);
        Assert.All(denied, payload => Assert.Contains("wrong password", payload, StringComparison.Ordinal));
        Assert.Single(console.Log, line => line.Contains("wrong password from", StringComparison.Ordinal));
    }

    // Checked together, all would be tried before the first is counted.
    [Fact]
    public async Task Wrong_passwords_that_arrive_together_get_no_more_tries_than_one_after_another()
    {
        await using var console = await ConsoleHost.StartAsync(settings: Settings, environment: "Staging");

        var answers = await Task.WhenAll(Enumerable.Range(0, 2 * Lockout.PerAddress).Select(_ => TryAsync(console, "not it")));

        // On a busy machine some may not get their turn in time.
        Assert.InRange(
            answers.Count(answer => answer?.StartsWith("/login?wrong", StringComparison.Ordinal) == true),
            1,
            Lockout.PerAddress
        );
    }

    // Each open tab leads to the sign-in when a session ends, and keeps the form of then.
    [Fact]
    public async Task A_form_of_before_the_sign_in_in_another_tab_leads_to_the_console()
    {
        await using var console = await ConsoleHost.StartAsync(settings: Settings, environment: "Staging");
        using var visitor = new Visitor(console.Address);
        var form = await visitor.FormAsync("/login");
        await visitor.PostFormAsync("/login", "/login", ("password", Password));

        Assert.Equal("/", await PostAsync("/login"));
        Assert.Equal("/console/flags", (await visitor.GoAsync("/login?returnUrl=/console/flags")).Address.AbsolutePath);
        Assert.Equal("/login", await PostAsync("/logout"));
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.AskAsync("/api/status"));
        Assert.Equal("/login", await PostAsync("/logout"));
        using var stranger = new Visitor(console.Address);
        using var refused = await stranger.PostFormAsync(form, "/login", ("password", Password));
        Assert.Equal("/login?failed=1", refused.Headers.Location!.OriginalString);

        async Task<string> PostAsync(string path)
        {
            using var answer = await visitor.PostFormAsync(form, path, ("password", Password));
            return new Uri(console.Address, answer.Headers.Location!).AbsolutePath;
        }
    }

    [Fact]
    public async Task Wrong_passwords_from_many_addresses_lock_the_sign_in_for_all_and_end_no_session()
    {
        await using var console = await ConsoleHost.StartAsync(settings: Settings, environment: "Staging");
        using var operatorSignedIn = new Visitor(console.Address);
        Assert.Equal(
            "/",
            (await operatorSignedIn.PostFormAsync("/login", "/login", ("password", Password))).Headers.Location!.OriginalString
        );
        var lockout = console.Get<Lockout>();
        for (var i = 0; i < Lockout.InAll; i++)
        {
            await lockout.FailedAsync($"203.0.113.{i}", default);
        }

        Assert.StartsWith("/login?wait=15", await TryAsync(console, Password), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, await operatorSignedIn.AskAsync("/api/status"));
    }

    [Theory]
    [InlineData(null, "198.51.100.1, 203.0.113.9", "203.0.113.9")]
    [InlineData("10.1.0.0/16", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9")]
    [InlineData("10.1.0.0/16", "203.0.113.9, 10.2.0.1, 10.1.2.3", "10.2.0.1")]
    public async Task The_client_address_comes_from_the_last_trusted_proxy(string? proxies, string forwarded, string counted)
    {
        await using var console = await ConsoleHost.StartAsync(
            settings: new Dictionary<string, string?>(Settings) { ["ForwardedHeaders_Enabled"] = "true", ["TRUSTED_PROXIES"] = proxies },
            environment: "Staging"
        );
        using var visitor = new Visitor(console.Address) { ForwardedFor = forwarded };

        await visitor.PostFormAsync("/login", "/login", ("password", "not it"));

        await using var db = console.Get<IDbContextFactory<AutoTicketDbContext>>().CreateDbContext();
        Assert.Equal(counted, (await db.SignInFailures.SingleAsync()).Address);
    }

    [Fact]
    public async Task Signing_out_everywhere_ends_the_sessions_of_every_browser()
    {
        await using var console = await ConsoleHost.StartAsync(settings: Settings, environment: "Staging");
        using var first = new Visitor(console.Address);
        using var second = new Visitor(console.Address);
        foreach (var visitor in new[] { first, second })
        {
            await visitor.PostFormAsync("/login", "/login", ("password", Password));
            Assert.Equal(HttpStatusCode.OK, await visitor.AskAsync("/api/status"));
        }

        var other = Schemes.SessionOf(await console.Get<Sessions>().OpenAsync("somebody else", Roles.Viewer, null, default))!;
        Assert.Equal(
            "/login",
            (await first.PostFormAsync("/console/status", "/logout", ("everywhere", "true"))).Headers.Location!.OriginalString
        );

        Assert.Equal(HttpStatusCode.Unauthorized, await first.AskAsync("/api/status"));
        Assert.Equal(HttpStatusCode.Unauthorized, await second.AskAsync("/api/status"));
        Assert.NotNull(await console.Get<Sessions>().FindAsync(other, default));
    }

    [Fact]
    public async Task More_than_ten_sign_ins_a_minute_from_one_address_are_refused()
    {
        await using var console = await ConsoleHost.StartAsync(settings: Settings, environment: "Staging");
        using var visitor = new Visitor(console.Address);
        var answers = new List<HttpStatusCode>();
        for (var i = 0; i < 12; i++)
        {
            answers.Add((await visitor.PostFormAsync("/login", "/login", ("password", "no"))).StatusCode);
        }

        Assert.Equal(
            Enumerable.Repeat(HttpStatusCode.Redirect, 10).Append(HttpStatusCode.TooManyRequests).Append(HttpStatusCode.TooManyRequests),
            answers
        );
    }

    [Theory]
    [InlineData("203.0.113.7", "203.0.113.7"), InlineData("::ffff:203.0.113.7", "203.0.113.7")]
    [InlineData("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"), InlineData("2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64")]
    public void An_ipv6_network_counts_as_one_address(string address, string counted) =>
        Assert.Equal(counted, Lockout.AddressOf(IPAddress.Parse(address)));

    /// <returns>Where it leads; null: it did not get its turn.</returns>
    private static async Task<string?> TryAsync(ConsoleHost console, string password)
    {
        using var visitor = new Visitor(console.Address);
        return (await visitor.PostFormAsync("/login", "/login", ("password", password))).Headers.Location?.OriginalString;
    }
}
