using System.Net;
using System.Security.Claims;
using System.Text.Json;
using AutoTicket.Audit;
using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.Security;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Access;

/// <summary>Sign-in at a real OpenID provider: which users get in, with which role, and for how long.</summary>
public sealed class ProviderSignInTests(ProviderSignInTests.Provider provider) : IClassFixture<ProviderSignInTests.Provider>
{
    private static readonly object Flip = new { enabled = true, reason = "a test" };

    [Theory, InlineData("roles-in-userinfo"), InlineData("roles-in-id-token"), InlineData("no-refresh-token")]
    [Trait("Pitfall", "T-65")]
    public async Task A_provider_role_maps_to_a_console_role_and_the_highest_counts(string client)
    {
        await using var console = await StartAsync(client);
        foreach (
            var (user, roles, export, investigate, flag) in new[]
            {
                ("vera", new[] { "staff", "something else" }, HttpStatusCode.Forbidden, HttpStatusCode.Forbidden, HttpStatusCode.Forbidden),
                ("olga", ["on-call", "staff"], HttpStatusCode.OK, HttpStatusCode.NotFound, HttpStatusCode.Forbidden),
                ("ada", ["staff", "sre"], HttpStatusCode.OK, HttpStatusCode.NotFound, HttpStatusCode.OK),
            }
        )
        {
            await provider.Real.SetUserAsync(user, roles);
            using var visitor = new Visitor(console.Address);
            var (address, status, _) = await visitor.SignInAsync(user);

            Assert.Equal(("/api/status", HttpStatusCode.OK), (address.AbsolutePath, status));
            Assert.Equal(export, await visitor.AskAsync("/api/audit.csv"));
            Assert.Equal(investigate, (await visitor.PostAsync("/api/surfaces/nobody/investigate")).StatusCode);
            Assert.Equal(flag, (await visitor.PutAsync($"/api/flags/{FlagNames.InvestigateFromStatus}", Flip)).StatusCode);
            Assert.Equal(
                flag == HttpStatusCode.OK ? HttpStatusCode.Conflict : flag,
                (await visitor.PostJsonAsync("/api/flood/reset", new { scope = "", reason = "a test" })).StatusCode
            );
        }

        await using var db = Open(console);
        var audit = await db.AuditLog.OrderBy(entry => entry.Id).Where(entry => entry.Action.StartsWith("console.auth")).ToListAsync();
        Assert.Equal(
            ["user:vera", "user:olga", "user:ada"],
            audit.Where(entry => entry.Action == AuditActions.SignedIn).Select(entry => entry.Actor)
        );
        Assert.Equal(
            ["user:vera", "user:vera", "user:vera", "user:vera", "user:olga", "user:olga"],
            audit.Where(entry => entry.Action == AuditActions.Denied).Select(entry => entry.Actor)
        );
        Assert.Contains(
            "\"takes\":\"admin\",\"role\":\"viewer\"",
            audit.Last(entry => entry.Actor == "user:vera").Payload.Replace(" ", "", StringComparison.Ordinal),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Without_a_mapped_role_a_user_is_denied_and_that_is_audited()
    {
        await using var console = await StartAsync();
        await provider.Real.SetUserAsync("nora", "visitors");
        using var visitor = new Visitor(console.Address);
        var (address, _, page) = await visitor.SignInAsync("nora");

        Assert.Equal("/login?norole=1&returnUrl=%2Fapi%2Fstatus", address.PathAndQuery);
        Assert.Contains("has no role in this console", page, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.AskAsync("/api/status"));
        await using var db = Open(console);
        Assert.Equal("user:nora", (await db.AuditLog.SingleAsync(entry => entry.Action == AuditActions.Denied)).Actor);
        Assert.Empty(await db.Sessions.ToListAsync());
    }

    [Theory, InlineData("roles-in-userinfo"), InlineData("roles-in-id-token"), InlineData("no-refresh-token")]
    public async Task A_user_whom_the_provider_no_longer_knows_is_signed_out(string client)
    {
        await using var console = await StartAsync(client);
        await provider.Real.SetUserAsync($"gone-{client}", "sre");
        using var visitor = new Visitor(console.Address);
        await visitor.SignInAsync($"gone-{client}");
        Assert.Equal(HttpStatusCode.OK, await visitor.AskAsync("/api/status"));
        // The provider was asked about the user, who still exists there.
        await using var db = Open(console);
        var signedIn = (await db.Sessions.AsNoTracking().SingleAsync()).CheckedAt;
        await Eventually.TrueAsync(
            async () => (await db.Sessions.AsNoTracking().SingleAsync()).CheckedAt > signedIn + TimeSpan.FromSeconds(2),
            "the provider was asked twice"
        );
        Assert.Equal(HttpStatusCode.OK, await visitor.AskAsync("/api/status"));

        await provider.Real.SetUserAsync($"gone-{client}", null);

        await Eventually.TrueAsync(async () => await visitor.AskAsync("/api/status") == HttpStatusCode.Unauthorized, "the user is out");
        Assert.Contains(
            "the provider",
            (await db.AuditLog.SingleAsync(entry => entry.Action == AuditActions.SignedOut)).Payload,
            StringComparison.Ordinal
        );
    }

    [Theory, InlineData("roles-in-userinfo"), InlineData("roles-in-id-token")]
    public async Task Userinfo_of_another_subject_ends_the_session(string client)
    {
        await using var console = await StartAsync(client);
        await provider.Real.SetUserAsync($"eve-{client}", "staff");
        using var visitor = new Visitor(console.Address);
        await visitor.SignInAsync($"eve-{client}");
        Assert.Equal(HttpStatusCode.OK, await visitor.AskAsync("/api/status"));

        await provider.Real.SetUserinfoSubjectAsync($"eve-{client}", "somebody-else", "sre");

        await Eventually.TrueAsync(async () => await visitor.AskAsync("/api/status") == HttpStatusCode.Unauthorized, "the user is out");
        await using var db = Open(console);
        Assert.Contains(
            "names another user",
            (await db.AuditLog.SingleAsync(entry => entry.Action == AuditActions.SignedOut)).Payload,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task One_of_two_processes_uses_a_one_time_refresh_token()
    {
        // One clock for both processes, so that both find the session due at the same moment.
        var clock = new StillClock(TimeProvider.System.GetUtcNow());
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var one = await ConsoleHost.StartAsync(
            database,
            settings: provider.Settings("roles-in-userinfo"),
            environment: "Staging",
            clock: clock
        );
        await using var other = await ConsoleHost.StartAsync(
            database,
            settings: provider.Settings("roles-in-userinfo"),
            environment: "Staging",
            clock: clock
        );
        await provider.Real.SetUserAsync("two", "staff");
        using var visitor = new Visitor(one.Address);
        await visitor.SignInAsync("two");
        await using var db = Open(one);
        var grants = new HashSet<string?>();
        for (var time = 0; time < 8; time++)
        {
            grants.Add((await db.Sessions.AsNoTracking().SingleOrDefaultAsync())?.SealedGrant);
            await clock.AdvanceUntilAsync(
                TimeSpan.FromSeconds(1),
                async () =>
                    await db.Sessions.AsNoTracking().SingleOrDefaultAsync() is not { } session || !grants.Contains(session.SealedGrant),
                "its token was renewed"
            );
            Assert.Equal(HttpStatusCode.OK, await visitor.AskAsync("/api/status"));
        }

        Assert.Empty(await db.AuditLog.Where(entry => entry.Action == AuditActions.SignedOut).ToListAsync());
    }

    [Theory, InlineData("roles-in-userinfo"), InlineData("roles-in-id-token"), InlineData("no-refresh-token")]
    [Trait("Pitfall", "T-63")]
    public async Task A_role_removed_at_the_provider_is_removed_in_the_console(string client)
    {
        // Without a refresh token there is no newer ID token; userinfo has the roles then.
        await using var console = await StartAsync(client);
        var user = $"lost-{client}";
        await provider.Real.SetUserAsync(user, "sre");
        using var visitor = new Visitor(console.Address);
        await visitor.SignInAsync(user);
        Assert.Equal(HttpStatusCode.OK, (await visitor.PutAsync($"/api/flags/{FlagNames.InvestigateFromStatus}", Flip)).StatusCode);

        await provider.Real.SetUserAsync(user, "staff");
        await Eventually.TrueAsync(
            async () =>
                (await visitor.PutAsync($"/api/flags/{FlagNames.InvestigateFromStatus}", Flip)).StatusCode == HttpStatusCode.Forbidden,
            "an admin no more"
        );
        Assert.Equal(HttpStatusCode.OK, await visitor.AskAsync("/api/status"));

        await provider.Real.SetUserAsync(user, "none of ours");
        await Eventually.TrueAsync(async () => await visitor.AskAsync("/api/status") == HttpStatusCode.Unauthorized, "the user is out");
    }

    /// <summary>Uses the claims as each product sends them.</summary>
    [Theory]
    [InlineData("keycloak", "realm_access.roles", "sre=admin", "admin")]
    [InlineData("keycloak", "resource_access.autoticket.console.roles", "console-operator=operator", "operator")]
    [InlineData("keycloak", "groups", "/ops/on-call=operator", "operator")]
    [InlineData("keycloak", "realm_access", "sre=admin", null)]
    [InlineData("entra", "roles", "Console.Admin=admin", "admin")]
    [InlineData("entra", "groups", "0d9d8f6e-7c1b-4a55-8e0f-3b8a0f4f2a11=viewer", "viewer")]
    [InlineData("google", "email", "ada@example.org=admin,bea@example.org=viewer", "admin")]
    [InlineData("google", "hd", "example.org=viewer", "viewer")]
    [InlineData("authentik", "groups", "authentik Admins=admin, On call=operator", "admin")]
    public async Task The_claims_of_known_providers_give_the_mapped_role(string name, string claim, string map, string? role)
    {
        var claims = Path.Combine(ContentRoot.Find(), "tests", "AutoTicket.Console.Tests", "Access", "Providers", $"{name}.json");
        var settings = new Dictionary<string, string?>(provider.Settings("roles-in-userinfo"))
        {
            ["OIDC_ROLE_CLAIM"] = claim,
            ["OIDC_ROLE_MAP"] = map,
        };
        await using var console = await ConsoleHost.StartAsync(settings: settings, environment: "Staging");
        await provider.Real.SetClaimsAsync($"field-{name}", JsonSerializer.Deserialize<JsonElement>(await File.ReadAllTextAsync(claims)));
        using var visitor = new Visitor(console.Address);
        var (address, _, _) = await visitor.SignInAsync($"field-{name}");

        Assert.Equal(role is null ? "/login" : "/api/status", address.AbsolutePath);
        await using var db = Open(console);
        Assert.Equal(role, (await db.Sessions.AsNoTracking().SingleOrDefaultAsync())?.Role);
        if (role is not null)
        {
            // The claims give the same role when the provider is asked again.
            var signedIn = (await db.Sessions.AsNoTracking().SingleAsync()).CheckedAt;
            await Eventually.TrueAsync(
                async () => (await db.Sessions.AsNoTracking().SingleAsync()).CheckedAt > signedIn,
                "the provider was asked again"
            );
            Assert.Equal(
                (role, HttpStatusCode.OK),
                ((await db.Sessions.AsNoTracking().SingleAsync()).Role, await visitor.AskAsync("/api/status"))
            );
        }
    }

    [Fact]
    public async Task Without_a_refresh_token_a_session_outlives_the_access_token()
    {
        var clock = new StillClock(TimeProvider.System.GetUtcNow());
        await using var console = await ConsoleHost.StartAsync(
            settings: provider.Settings("no-refresh-token"),
            environment: "Staging",
            clock: clock
        );
        await provider.Real.SetUserAsync("outlives", "sre");
        using var visitor = new Visitor(console.Address);
        await visitor.SignInAsync("outlives");
        await using var db = Open(console);

        // The provider refuses an expired access token like one of a deleted user.
        clock.Advance(TimeSpan.FromHours(2));
        await provider.Real.SetUserAsync("outlives", null);
        for (var time = 0; time < 2; time++)
        {
            var before = (await db.Sessions.AsNoTracking().SingleAsync()).CheckedAt;
            await clock.AdvanceUntilAsync(
                TimeSpan.FromSeconds(1),
                async () => (await db.Sessions.AsNoTracking().SingleOrDefaultAsync())?.CheckedAt != before,
                "its turn came"
            );
        }

        Assert.Equal(HttpStatusCode.OK, await visitor.AskAsync("/api/status"));
    }

    [Fact]
    public async Task Signing_out_ends_both_sessions_and_makes_a_stolen_cookie_worthless()
    {
        await using var console = await StartAsync();
        await provider.Real.SetUserAsync("sol", "sre");
        using var visitor = new Visitor(console.Address);
        await visitor.SignInAsync("sol", "/console/status");
        var cookie = visitor.SessionCookie!;
        Assert.Equal(HttpStatusCode.OK, await visitor.AskWithCookieAsync(console.Address, cookie));

        var atProvider = await visitor.PostFormAsync("/console/status", "/logout");
        Assert.Equal("/session/end", atProvider.Headers.Location!.AbsolutePath);

        Assert.Contains(
            provider.Real.Authority.GetLeftPart(UriPartial.Authority),
            Assert.Single(atProvider.Headers.GetValues("Content-Security-Policy")),
            StringComparison.Ordinal
        );
        Assert.Contains("id_token_hint=", atProvider.Headers.Location.Query, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.AskWithCookieAsync(console.Address, cookie));
        Assert.Equal(HttpStatusCode.Unauthorized, await visitor.AskAsync("/api/status"));
        await using var db = Open(console);
        Assert.Empty(await db.Sessions.ToListAsync());
        Assert.Contains(
            "signed out",
            (await db.AuditLog.SingleAsync(entry => entry.Action == AuditActions.SignedOut)).Payload,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Any_definite_refusal_of_the_provider_ends_the_session()
    {
        await using var console = await StartAsync();
        foreach (
            var (status, text) in new[]
            {
                (401, "invalid_client"),
                (400, "unauthorized_client"),
                (400, "access_denied"),
                (400, "invalid_grant"),
                (403, ""),
            }
        )
        {
            await provider.Real.SetUserAsync("ruth", "staff");
            using var visitor = new Visitor(console.Address);
            await visitor.SignInAsync("ruth");
            Assert.Equal(HttpStatusCode.OK, await visitor.AskAsync("/api/status"));
            try
            {
                await provider.Real.OverrideResponseAsync(
                    "/token",
                    status,
                    text is "" ? "<html>Forbidden</html>" : $$"""{"error":"{{text}}"}"""
                );
                await Eventually.TrueAsync(
                    async () => await visitor.AskAsync("/api/status") == HttpStatusCode.Unauthorized,
                    $"the user is out after {status} {text}"
                );
            }
            finally
            {
                await provider.Real.OverrideResponseAsync("/token", null);
            }
        }
    }

    [Fact]
    public async Task A_provider_without_a_definite_answer_ends_sessions_only_after_an_hour()
    {
        // The provider's tokens and its cookies use today's date.
        var clock = new StillClock(TimeProvider.System.GetUtcNow());
        await using var console = await ConsoleHost.StartAsync(
            settings: provider.Settings("roles-in-userinfo"),
            environment: "Staging",
            clock: clock
        );
        await provider.Real.SetUserAsync("una", "staff");
        using var visitor = new Visitor(console.Address);
        await visitor.SignInAsync("una");
        await using var db = Open(console);
        try
        {
            // Userinfo first: it renews the refresh token, and the next request must use the new one.
            foreach (
                var (path, status, text) in new[]
                {
                    ("/me", 503, ""),
                    ("/me", 200, "<html>"),
                    ("/me", 200, "{}"),
                    ("/token", 503, ""),
                    ("/token", 429, ""),
                    ("/token", 400, "<html>"),
                    ("/token", 400, """{"error":"temporarily_unavailable"}"""),
                    ("/token", 200, "<html>"),
                    ("/token", 200, "{}"),
                }
            )
            {
                await provider.Real.OverrideResponseAsync(path, status, text);
                await AskedTwiceAsync(session => session.CheckedAt, $"{status} of {path}");
                await provider.Real.OverrideResponseAsync(path, null);
                Assert.Equal(HttpStatusCode.OK, await visitor.AskAsync("/api/status"));
            }

            await AskedTwiceAsync(session => session.ConfirmedAt!.Value, "it answers again");
            await provider.Real.OverrideResponseAsync("/token", 503);
            clock.Advance(TimeSpan.FromMinutes(58));
            Assert.Equal(HttpStatusCode.OK, await visitor.AskAsync("/api/status"));
            clock.Advance(TimeSpan.FromMinutes(3));
            Assert.Equal(HttpStatusCode.Unauthorized, await visitor.AskAsync("/api/status"));
            await clock.AdvanceUntilAsync(
                TimeSpan.FromSeconds(2),
                async () => await db.AuditLog.AnyAsync(entry => entry.Action == AuditActions.SignedOut),
                "the sign-out is audited"
            );
            Assert.Contains(
                "did not confirm it",
                (await db.AuditLog.SingleAsync(entry => entry.Action == AuditActions.SignedOut)).Payload,
                StringComparison.Ordinal
            );
        }
        finally
        {
            await provider.Real.OverrideResponseAsync("/me", null);
            await provider.Real.OverrideResponseAsync("/token", null);
        }

        async Task AskedTwiceAsync(Func<Session, DateTimeOffset> read, string what)
        {
            for (var time = 0; time < 2; time++)
            {
                var before = read(await db.Sessions.AsNoTracking().SingleAsync());
                await clock.AdvanceUntilAsync(
                    TimeSpan.FromSeconds(2),
                    async () => read(await db.Sessions.AsNoTracking().SingleAsync()) > before,
                    what
                );
            }
        }
    }

    /// <summary>A provider that sees a one-time refresh token twice withdraws the session.</summary>
    [Fact]
    public async Task A_check_that_takes_longer_than_the_interval_is_not_begun_again_by_another_process()
    {
        var clock = new StillClock(TimeProvider.System.GetUtcNow());
        var slow = new Slow();
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        Task<ConsoleHost> StartOneAsync() =>
            ConsoleHost.StartAsync(
                database,
                settings: provider.Settings("roles-in-userinfo"),
                environment: "Staging",
                clock: clock,
                services: slow.Serve
            );
        await using var one = await StartOneAsync();
        await using var other = await StartOneAsync();
        await provider.Real.SetUserAsync("sloane", "staff");
        using var visitor = new Visitor(one.Address);
        await visitor.SignInAsync("sloane");
        await using var db = Open(one);
        var grant = (await db.Sessions.AsNoTracking().SingleAsync()).SealedGrant;

        slow.Hold();
        await clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(slow.Waiting > 0), "a check is in progress");
        for (var second = 0; second < 5; second++)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(200);
        }

        Assert.Equal(1, slow.Waiting);
        slow.Release();
        await clock.AdvanceUntilAsync(
            TimeSpan.FromSeconds(1),
            async () => await db.Sessions.AsNoTracking().SingleOrDefaultAsync() is not { } session || session.SealedGrant != grant,
            "its token was renewed"
        );
        Assert.Equal(HttpStatusCode.OK, await visitor.AskAsync("/api/status"));
    }

    /// <summary>The provider has renewed the token, and only the new one is good for the next check.</summary>
    [Fact]
    public async Task A_database_that_fails_while_a_token_is_renewed_ends_no_session()
    {
        var clock = new StillClock(TimeProvider.System.GetUtcNow());
        var slow = new Slow();
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        await using var console = await ConsoleHost.StartAsync(
            database,
            settings: provider.Settings("roles-in-userinfo"),
            environment: "Staging",
            clock: clock,
            services: slow.Serve
        );
        await provider.Real.SetUserAsync("dora", "staff");
        using var visitor = new Visitor(console.Address);
        await visitor.SignInAsync("dora");
        await using var db = Open(console);
        var grants = new HashSet<string?> { (await db.Sessions.AsNoTracking().SingleAsync()).SealedGrant };

        slow.Hold();
        await clock.AdvanceUntilAsync(TimeSpan.FromSeconds(1), () => Task.FromResult(slow.Waiting > 0), "a check is in progress");
        await using (var locking = Open(console))
        {
            await using var locked = await locking.BeginAsync(CancellationToken.None);
            await locking.Database.ExecuteSqlAsync($"LOCK TABLE sessions IN EXCLUSIVE MODE");
            slow.Release();
            // Longer than a command of the console waits.
            await Task.Delay(TimeSpan.FromSeconds(5));
        }

        for (var renewed = 0; renewed < 2; renewed++)
        {
            await clock.AdvanceUntilAsync(
                TimeSpan.FromSeconds(1),
                async () => await db.Sessions.AsNoTracking().SingleOrDefaultAsync() is not { } now || grants.Add(now.SealedGrant),
                "its token was renewed"
            );
        }

        Assert.Equal(HttpStatusCode.OK, await visitor.AskAsync("/api/status"));
        Assert.DoesNotContain(console.Log, line => line.Contains("the provider can't be asked", StringComparison.Ordinal));
    }

    /// <summary>One whose answer hangs delays no other: here each waits until both are asked about.</summary>
    [Fact]
    public async Task Sessions_are_asked_about_at_the_same_time()
    {
        var clock = new StillClock(TimeProvider.System.GetUtcNow());
        var both = new Both();
        await using var console = await ConsoleHost.StartAsync(
            settings: provider.Settings("roles-in-userinfo"),
            environment: "Staging",
            clock: clock,
            services: services => services.Configure<OpenIdConnectOptions>(Schemes.Provider, oidc => oidc.BackchannelHttpHandler = both)
        );
        await using var db = Open(console);
        foreach (var user in new[] { "pia", "pam" })
        {
            await provider.Real.SetUserAsync(user, "staff");
            using var visitor = new Visitor(console.Address);
            await visitor.SignInAsync(user);
        }

        both.AreAwaited = true;
        clock.Advance(TimeSpan.FromSeconds(2));

        await Eventually.TrueAsync(
            async () => await db.Sessions.AsNoTracking().CountAsync(session => session.ConfirmedAt > session.CreatedAt) == 2,
            "both are confirmed"
        );
    }

    [Theory]
    [InlineData("f3c1", "ada", "ada@example.org", "user:ada (f3c1)", "ada")]
    [InlineData("f3c1", null, "ada@example.org", "user:ada@example.org (f3c1)", "ada@example.org")]
    [InlineData("f3c1", "bob (b0b)", null, "user:bob b0b (f3c1)", "bob b0b")]
    [InlineData("f3c1", "()", null, "user:f3c1", "f3c1")]
    [InlineData("ada", "ada", null, "user:ada", "ada")]
    [InlineData("f3c1", "pass\u202eword\n", null, "user:password (f3c1)", "password")]
    public void The_audit_log_has_users_subjects_and_pages_show_their_sign_in_names(
        string subject,
        string? username,
        string? email,
        string actor,
        string shown
    )
    {
        List<Claim> claims = [new("sub", subject), new("name", "A name of their own choice")];
        claims.AddRange(
            new[] { ("preferred_username", username), ("email", email) }
                .Where(claim => claim.Item2 is not null)
                .Select(claim => new Claim(claim.Item1, claim.Item2!))
        );

        Assert.Equal(actor, ProviderSignIn.ActorOf(new ClaimsPrincipal(new ClaimsIdentity(claims))));
        Assert.Equal(shown, ProviderSignIn.NameIn(actor));
    }

    [Theory]
    [InlineData("ada@example.org", "ada@example.org")]
    [InlineData("ada@example.org", "ada@example.org", "true")]
    [InlineData("ada@example.org", null, "false")]
    [InlineData("ada@example.org", null, "True", "False")]
    [InlineData("ada\u202e@example.org\n", "ada@example.org")]
    [InlineData(null, null)]
    public void An_address_that_the_provider_calls_unverified_finds_no_agent(string? email, string? expected, params string[] verified)
    {
        var claims = verified.Select(value => new Claim("email_verified", value)).ToList();
        if (email is not null)
        {
            claims.Add(new Claim("email", email));
        }

        Assert.Equal(expected, ProviderSignIn.EmailIn(new ClaimsPrincipal(new ClaimsIdentity(claims))));
    }

    [Fact]
    public async Task The_cookie_keeps_the_address_also_when_the_role_changes()
    {
        await using var console = await StartAsync();
        var sessions = console.Get<Sessions>();
        var user = await sessions.OpenAsync("user:ada", Roles.Viewer, null, default, "ada@example.org");
        var session = await sessions.FindAsync(Schemes.SessionOf(user)!, default);
        await using var db = Open(console);
        await db.Sessions.ExecuteUpdateAsync(set => set.SetProperty(row => row.Role, Roles.Operator));

        var now = await sessions.CurrentAsync(user, default);

        Assert.NotNull(session);
        Assert.Equal((Roles.Operator, "ada@example.org"), (Roles.Of(now!), Schemes.EmailOf(now!)));
    }

    [Theory, InlineData("password"), InlineData("token:grafana"), InlineData("developer (here)"), InlineData(null)]
    public void An_actor_without_a_provider_is_shown_as_in_the_audit_log(string? actor) =>
        Assert.Equal(actor, ProviderSignIn.NameIn(actor));

    [Fact]
    public async Task Forged_forms_cookies_and_provider_answers_log_no_ERROR_and_one_line_a_minute()
    {
        await using var console = await StartAsync();
        await provider.Real.SetUserAsync("fay", "none of ours");
        foreach (var forged in new[] { "code=forged", "error=access_denied", "error=access_denied&code" })
        {
            using var stranger = new Visitor(console.Address)
            {
                Detour = to =>
                    to.AbsolutePath == "/signin-oidc"
                        ? new UriBuilder(to) { Query = to.Query.Replace("code=", $"{forged}&was=", StringComparison.Ordinal) }.Uri
                        : to,
            };
            Assert.Equal("/login?failed=1&returnUrl=%2Fapi%2Fstatus", (await stranger.SignInAsync("fay")).Address.PathAndQuery);
        }

        using var http = new HttpClient(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false })
        {
            BaseAddress = console.Address,
        };
        foreach (var method in new[] { HttpMethod.Get, HttpMethod.Post })
        {
            using var request = new HttpRequestMessage(method, "/login");
            request.Headers.Add("X-Forwarded-Proto", "https");
            request.Headers.Add("Cookie", "__Host-autoticket-form=CfDJ8forged; __Host-autoticket=CfDJ8forged");
            request.Content =
                method == HttpMethod.Get
                    ? null
                    : new FormUrlEncodedContent([new("__RequestVerificationToken", "CfDJ8forged"), new("password", "x")]);
            using var answer = await http.SendAsync(request);
            Assert.Equal(method == HttpMethod.Get ? HttpStatusCode.OK : HttpStatusCode.Found, answer.StatusCode);
        }

        Assert.Single(console.Log, line => line.Contains("sign-in at the provider failed", StringComparison.Ordinal));
        Assert.DoesNotContain(
            console.Log,
            line => line.Contains(" Microsoft.AspNetCore.", StringComparison.Ordinal) && !line.StartsWith("INFO", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task A_provider_outage_keeps_sessions_and_new_sign_ins_are_told_the_cause()
    {
        var real = await OidcProvider.StartAsync();
        await real.SetUserAsync("stay", "on-call");
        await using var console = await ConsoleHost.StartAsync(settings: real.Settings(), environment: "Staging");
        using var visitor = new Visitor(console.Address);
        await visitor.SignInAsync("stay");

        await real.DisposeAsync();

        await Eventually.TrueAsync(
            () =>
                console.Log.Any(line =>
                    line.StartsWith("WARNING", StringComparison.Ordinal)
                    && line.Contains("session check degraded", StringComparison.Ordinal)
                ),
            "the outage is logged"
        );
        Assert.Equal(HttpStatusCode.OK, await visitor.AskAsync("/api/status"));

        await using var fresh = await ConsoleHost.StartAsync(settings: real.Settings(), environment: "Staging");
        using var stranger = new Visitor(fresh.Address);
        var (address, status, page) = await stranger.SignInAsync("stay", "/console/flags");
        Assert.Equal(("/login", HttpStatusCode.OK), (address.AbsolutePath, status));
        Assert.Contains("away=1", address.Query, StringComparison.Ordinal);
        Assert.Contains("The sign-in provider can&#x27;t be reached. Try again in a moment.", page, StringComparison.Ordinal);
    }

    [Theory, InlineData("/signin-oidc"), InlineData("/signout-callback-oidc")]
    public async Task The_callbacks_of_the_provider_accept_no_POST(string path)
    {
        using var visitor = new Visitor(provider.Shared.Address);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await visitor.PostAsync(path)).StatusCode);
    }

    [Fact]
    public async Task A_callback_without_a_request_is_refused_without_an_error()
    {
        await using var console = await StartAsync();
        using var visitor = new Visitor(console.Address);
        foreach (
            var callback in new[]
            {
                "/signin-oidc",
                "/signin-oidc?code=a&state=b",
                "/signin-oidc?error=access_denied&error_description=no%0Ano",
                "/signout-callback-oidc?state=b",
            }
        )
        {
            var (address, _, _) = await visitor.GoAsync(callback);
            Assert.Equal("/login", address.AbsolutePath);
            Assert.Null(visitor.SessionCookie);
        }
    }

    [Theory]
    [
        InlineData("//evil.example"),
        InlineData("/\\evil.example"),
        InlineData("https://evil.example/"),
        InlineData("javascript:alert(1)"),
        InlineData("/\t/evil.example"),
        InlineData("")
    ]
    public async Task Signing_in_redirects_only_to_the_console(string returnUrl)
    {
        await provider.Real.SetUserAsync("lea", "staff");
        using var visitor = new Visitor(provider.Shared.Address);
        var (address, _, _) = await visitor.SignInAsync("lea", returnUrl);
        Assert.Equal(new Uri(provider.Shared.Address, "/console/status"), address);
    }

    [Fact]
    [Trait("Pitfall", "T-66")]
    public async Task No_sign_in_secret_is_in_a_page_a_cookie_the_log_the_audit_or_an_error()
    {
        await using var console = await StartAsync();
        await provider.Real.SetUserAsync("sec", "sre");
        using var visitor = new Visitor(console.Address);
        await visitor.SignInAsync("sec", "/console/status");
        await visitor.GoAsync("/signin-oidc?code=canary-code&state=canary-state");
        foreach (var path in new[] { "/console/audit", "/api/audit.csv", "/api/status", "/openapi/v1.json", "/no-such", "/login" })
        {
            await visitor.GoAsync(path);
        }

        await using var db = Open(console);
        var row = await db.Sessions.SingleAsync();
        var grant = console.Get<ProviderGrants>().Open(row)!;
        // The provider's sign-out URL must contain the ID token (OpenID standard). That token is not valid for anything else.
        string[] secrets = [OidcProvider.ClientSecret, grant.AccessToken!, grant.RefreshToken!, grant.IdToken!, "canary-code", row.Id];
        var audit = await db.AuditLog.Select(entry => entry.Payload).ToListAsync();
        foreach (var secret in secrets)
        {
            Assert.DoesNotContain(secret, row.SealedGrant, StringComparison.Ordinal);
            Assert.DoesNotContain(secret, visitor.SessionCookie, StringComparison.Ordinal);
            // The test's own URL contains the code that the test made up.
            Assert.All(
                visitor.Seen.Where(seen => !seen.Contains("?code=", StringComparison.Ordinal)).Concat(console.Log).Concat(audit),
                text => Assert.DoesNotContain(secret, text, StringComparison.Ordinal)
            );
        }
    }

    private Task<ConsoleHost> StartAsync(string client = "roles-in-userinfo") =>
        ConsoleHost.StartAsync(settings: provider.Settings(client), environment: "Staging");

    private static AutoTicketDbContext Open(ConsoleHost console) => console.Get<IDbContextFactory<AutoTicketDbContext>>().CreateDbContext();

    /// <summary>Holds requests to the provider's token endpoint.</summary>
    private sealed class Slow() : DelegatingHandler(new SocketsHttpHandler())
    {
        private TaskCompletionSource? _held;
        private int _waiting;

        public int Waiting => _waiting;

        /// <summary>Without the limit of ten seconds, which a busy machine could reach while a request is held.</summary>
        public void Serve(IServiceCollection services) =>
            services.Configure<OpenIdConnectOptions>(
                Schemes.Provider,
                oidc => (oidc.BackchannelHttpHandler, oidc.BackchannelTimeout) = (this, Eventually.Patience)
            );

        public void Hold() => _held = new();

        public void Release() => _held!.SetResult();

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.RequestUri!.AbsolutePath == "/token" && _held is { Task.IsCompleted: false })
            {
                Interlocked.Increment(ref _waiting);
                await _held.Task.WaitAsync(cancellationToken);
            }

            return await base.SendAsync(request, cancellationToken);
        }
    }

    /// <summary>Lets requests to the provider through two at a time.</summary>
    private sealed class Both() : DelegatingHandler(new SocketsHttpHandler())
    {
        private readonly SemaphoreSlim _arrived = new(0);
        private int _count;

        public bool AreAwaited { get; set; }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (AreAwaited)
            {
                if (Interlocked.Increment(ref _count) % 2 == 0)
                {
                    _arrived.Release(2);
                }

                await _arrived.WaitAsync(cancellationToken);
            }

            return await base.SendAsync(request, cancellationToken);
        }
    }

    /// <summary>One provider for the class, and one console for tests that leave no traces in it.</summary>
    public sealed class Provider : IAsyncLifetime
    {
        internal OidcProvider Real { get; private set; } = null!;

        internal ConsoleHost Shared { get; private set; } = null!;

        /// <summary>Without the flag variables, which would pin the flags.</summary>
        internal Dictionary<string, string?> Settings(string client) =>
            new(Real.Settings(client)) { ["FLAG_CONSOLE_INVESTIGATE_FROM_STATUS"] = null };

        public async Task InitializeAsync()
        {
            Real = await OidcProvider.StartAsync();
            Shared = await ConsoleHost.StartAsync(settings: Real.Settings(), environment: "Staging");
        }

        public async Task DisposeAsync()
        {
            await Shared.DisposeAsync();
            await Real.DisposeAsync();
        }
    }
}
