using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using AutoTicket.Audit;
using AutoTicket.Sandbox;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Processes;

/// <summary>Sign-in and secrets of a console in Production, behind a proxy that terminates TLS.</summary>
public sealed partial class ProductionSignInTests(ProductionSignInTests.Production production)
    : IClassFixture<ProductionSignInTests.Production>
{
    private const string Password = "canary correct horse";
    private const string Token = "canary-token-5d1f-0123456789abcdef";

    private const string Other = "another-canary-91-0123456789abcdef";

    [Fact]
    public async Task The_printed_hash_signs_only_the_operator_in_with_a_secure_cookie()
    {
        var (wrong, _) = await SignInAsync("not the password at all");
        Assert.Contains("/login?wrong=1", wrong.Headers.Location!.OriginalString, StringComparison.Ordinal);
        Assert.DoesNotContain(Cookies(wrong), cookie => cookie.StartsWith("__Host-autoticket=", StringComparison.Ordinal));

        var (right, _) = await SignInAsync(Password);
        var cookie = Assert.Single(Cookies(right), cookie => cookie.StartsWith("__Host-autoticket=", StringComparison.Ordinal));
        Assert.Contains("secure", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);

        Assert.Equal(HttpStatusCode.OK, (await AskAsync(HttpMethod.Get, "/api/status", ("Cookie", cookie.Split(';')[0]))).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(HttpMethod.Get, "/console/status", ("Cookie", cookie.Split(';')[0]))).StatusCode);
        await using var db = production.Consoles.Database.Open();
        Assert.True(await db.AuditLog.AnyAsync(entry => entry.Action == AuditActions.SignedIn));
        Assert.True(await db.AuditLog.AnyAsync(entry => entry.Action == AuditActions.Denied));
    }

    [Fact]
    public async Task A_session_survives_a_restart_and_works_at_each_replica_until_the_sign_out()
    {
        var cookie = Cookies((await SignInAsync(Password)).Answer)
            .Single(cookie => cookie.StartsWith("__Host-autoticket=", StringComparison.Ordinal))
            .Split(';')[0];
        // A second console on the same database stands for a replica and for the console after a restart.
        var replica = await production.Consoles.StartHostAsync(production.Settings);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(replica.Address, HttpMethod.Get, "/api/status", ("Cookie", cookie))).StatusCode);
        await replica.StopAsync();
        var restarted = await production.Consoles.StartHostAsync(production.Settings);
        var page = await AskAsync(restarted.Address, HttpMethod.Get, "/console/status", ("Cookie", cookie));
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);

        var cookies = string.Join("; ", Cookies(page).Select(set => set.Split(';')[0]).Append(cookie));
        using var signOut = new HttpRequestMessage(HttpMethod.Post, new Uri(restarted.Address, "/logout"))
        {
            Content = new FormUrlEncodedContent([
                new("__RequestVerificationToken", Antiforgery().Match(await page.Content.ReadAsStringAsync()).Groups[1].Value),
            ]),
        };
        signOut.Headers.Add("X-Forwarded-Proto", "https");
        signOut.Headers.Add("Cookie", cookies);
        Assert.Equal("/login", (await production.Http.SendAsync(signOut)).Headers.Location?.OriginalString);

        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(HttpMethod.Get, "/api/status", ("Cookie", cookie))).StatusCode);
    }

    [Fact]
    public async Task A_configured_token_is_accepted_and_others_are_not()
    {
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(HttpMethod.Get, "/api/status", ("Authorization", $"Bearer {Token}"))).StatusCode);
        Assert.Equal(
            HttpStatusCode.OK,
            (await AskAsync(HttpMethod.Post, "/api/surfaces/pay/investigate", ("Authorization", $"Bearer {Token}"))).StatusCode
        );
        Assert.Equal(
            HttpStatusCode.Unauthorized,
            (await AskAsync(HttpMethod.Get, "/api/status", ("Authorization", "Bearer something-else"))).StatusCode
        );
    }

    [Fact]
    public async Task No_secret_is_in_any_output()
    {
        using (production.Consoles.Sandbox.Faults.Add(new(FaultKind.Unauthorized) { Match = FaultMatch.FreeScout }))
        {
            await AskAsync(HttpMethod.Post, "/api/surfaces/mail/investigate", ("Authorization", $"Bearer {Token}"));
        }

        await SignInAsync(Password);
        List<string> outputs = [production.Console.Output.ToString(), production.Console.Errors.ToString()];
        foreach (
            var path in new[]
            {
                "/api/status",
                "/api/tickets",
                "/api/flags",
                "/api/audit.csv",
                "/openapi/v1.json",
                "/console/status",
                "/console/tickets",
                "/console/flags",
                "/console/audit",
                "/console/alerts?all=true",
                "/api/alerts",
                "/healthz/ready",
                "/no-such",
            }
        )
        {
            outputs.Add(await (await AskAsync(HttpMethod.Get, path, ("Authorization", $"Bearer {Token}"))).Content.ReadAsStringAsync());
        }

        foreach (var secret in production.Secrets)
        {
            Assert.All(outputs, output => Assert.DoesNotContain(secret, output, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Two_hundred_anonymous_large_bodies_cost_little_memory()
    {
        await AskAsync(HttpMethod.Get, "/login");
        var before = Peak();
        string[] paths = ["/login", "/no-such", "/api/alerts", .. Enumerable.Repeat("/api/freescout/webhook", 7)];
        var strangers = await Task.WhenAll(
            Enumerable
                .Range(0, 200)
                .Select(i => Stranger.ConnectAsync(production.Console.Address, paths[i % paths.Length], $"198.51.100.{i}"))
        );
        // All of them hold their requests open before the first one finishes.
        await Task.WhenAll(strangers.Select(stranger => stranger.SendAsync()));
        var answers = await Task.WhenAll(strangers.Select(stranger => stranger.EndAsync()));

        Assert.All(answers, answer => Assert.DoesNotContain(" 2", answer, StringComparison.Ordinal));
        // Read into memory whole, the bodies of the webhook alone would take 280 MB.
        var grown = Peak() - before;
        Assert.True(grown < 200, $"{grown} MB more\n{File.ReadAllText($"/proc/{production.Console.Id}/status")}");
        LogLine.AssertNoErrors(production.Console.Output.ToList());

        // The most memory that the process has used, in MB.
        long Peak()
        {
            var line = File.ReadLines($"/proc/{production.Console.Id}/status")
                .Single(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
            return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) / 1024;
        }
    }

    /// <summary>A client that sends 2 MB except the last byte, until the console answers.</summary>
    private sealed class Stranger(TcpClient client)
    {
        private const int Length = 2 * 1024 * 1024;

        private Task<string> _answer = null!;

        /// <param name="from">The client address, different for each: the requests of one address are limited.</param>
        public static async Task<Stranger> ConnectAsync(Uri console, string path, string from)
        {
            var client = new TcpClient();
            await client.ConnectAsync(console.Host, console.Port);
            var stranger = new Stranger(client);
            await client
                .GetStream()
                .WriteAsync(
                    Encoding.ASCII.GetBytes(
                        $"POST {path} HTTP/1.1\r\nHost: console.example.org\r\nX-Forwarded-Proto: https\r\n"
                            + $"X-Forwarded-For: {from}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                            + $"X-FreeScout-Signature: 7/zfauXrL6LSdBbV8YTfnCWafHk=\r\nContent-Length: {Length}\r\n\r\n"
                    )
                );
            stranger._answer = stranger.ReadAsync();
            return stranger;
        }

        public async Task SendAsync()
        {
            try
            {
                var sent = client.GetStream().WriteAsync(new byte[Length - 1]).AsTask();
                await Task.WhenAny(sent, _answer).WaitAsync(Eventually.Patience);
            }
            catch (IOException)
            {
                // The console closed the connection.
            }
        }

        public async Task<string> EndAsync()
        {
            try
            {
                if (!_answer.IsCompleted)
                {
                    await client.GetStream().WriteAsync(new byte[1]);
                }
            }
            catch (IOException) { }

            var answer = await _answer.WaitAsync(Eventually.Patience);
            client.Dispose();
            return answer;
        }

        private async Task<string> ReadAsync()
        {
            try
            {
                var buffer = new byte[100];
                return Encoding.ASCII.GetString(buffer, 0, await client.GetStream().ReadAsync(buffer)).Split('\r')[0];
            }
            catch (IOException)
            {
                return "cut off";
            }
        }
    }

    private static IEnumerable<string> Cookies(HttpResponseMessage answer) =>
        answer.Headers.TryGetValues("Set-Cookie", out var cookies) ? cookies : [];

    private async Task<(HttpResponseMessage Answer, string Page)> SignInAsync(string password)
    {
        var page = await AskAsync(HttpMethod.Get, "/login");
        var html = await page.Content.ReadAsStringAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/login")
        {
            Content = new FormUrlEncodedContent([
                new("__RequestVerificationToken", Antiforgery().Match(html).Groups[1].Value),
                new("password", password),
                new("returnUrl", "/console/flags"),
            ]),
        };
        request.Headers.Add("X-Forwarded-Proto", "https");
        request.Headers.Add("Cookie", string.Join("; ", Cookies(page).Select(cookie => cookie.Split(';')[0])));
        return (await production.Http.SendAsync(request), html);
    }

    private Task<HttpResponseMessage> AskAsync(HttpMethod method, string path, params (string Name, string Value)[] headers) =>
        AskAsync(production.Console.Address, method, path, headers);

    private async Task<HttpResponseMessage> AskAsync(
        Uri console,
        HttpMethod method,
        string path,
        params (string Name, string Value)[] headers
    )
    {
        using var request = new HttpRequestMessage(method, new Uri(console, path));
        foreach (var (name, value) in headers.Append(("X-Forwarded-Proto", "https")))
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return await production.Http.SendAsync(request);
    }

    [GeneratedRegex("name=\"__RequestVerificationToken\" value=\"([^\"]+)\"")]
    private static partial Regex Antiforgery();

    public sealed class Production : IAsyncLifetime
    {
        public Consoles Consoles { get; private set; } = null!;

        public ConsoleProcess Console { get; private set; } = null!;

        /// <summary>A client that follows no redirects and stores no cookies.</summary>
        public HttpClient Http { get; private set; } = null!;

        public IReadOnlyList<string> Secrets { get; private set; } = [];

        public IReadOnlyDictionary<string, string> Settings { get; private set; } = null!;

        public async Task InitializeAsync()
        {
            var hashed = await ConsoleProcess.RunToEndAsync(["hash-password"], new Dictionary<string, string>(), Password + "\n");
            Assert.Equal(0, hashed.ExitCode);
            var hash = hashed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1];
            Consoles = await Consoles.CreateAsync("pay", "mail");
            Settings = new Dictionary<string, string>
            {
                ["ASPNETCORE_ENVIRONMENT"] = "Production",
                ["CONSOLE_OPERATOR_PASSWORD_HASH"] = hash,
                ["CONSOLE_API_TOKENS"] = $"deploy:admin:{Other}, {Token}",
            };
            Console = await Consoles.StartAsync(Settings);
            Http = new HttpClient(
                new SocketsHttpHandler
                {
                    UseProxy = false,
                    AllowAutoRedirect = false,
                    UseCookies = false,
                }
            )
            {
                BaseAddress = Console.Address,
            };
            Secrets =
            [
                Password,
                hash,
                Token,
                Other,
                Consoles.Sandbox.FreeScout.ApiKey,
                Consoles.Sandbox.FreeScout.WebhookSecret,
                Consoles.Sandbox.Slack.BotToken,
                new Uri(Consoles.Database.Location).UserInfo.Split(':')[1],
            ];
        }

        public async Task DisposeAsync()
        {
            Http.Dispose();
            await Consoles.DisposeAsync();
        }
    }
}
