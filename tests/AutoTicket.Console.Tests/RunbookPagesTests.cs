using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.RegularExpressions;
using AutoTicket.Sandbox;
using AutoTicket.Tests.Processes;
using Npgsql;

namespace AutoTicket.Tests;

/// <summary>A command block of a page under docs.</summary>
/// <param name="Line">The block's first line.</param>
/// <param name="Expected">The output that the page promises. Null: none.</param>
/// <param name="Names">The page's first block, if it sets the names of the console for the others.</param>
/// <param name="Variables">The variables that the page has set, or says to have set, before the block.</param>
public sealed record RunbookBlock(
    string Page,
    int Line,
    string Language,
    string Text,
    string? Expected,
    string Names,
    IReadOnlySet<string> Variables
)
{
    public override string ToString() => $"{Page}:{Line}";
}

/// <summary>A console that has filed for a click and an alert and has survived outages of FreeScout and Slack. Shell functions replace
/// the tools that call other machines or restart a console; their logs and variables are this console's.</summary>
public sealed class RunbookShell : IAsyncLifetime
{
    private const string Token = "canary-runbook-token";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("autoticket-runbook-");
    private Consoles _consoles = null!;
    private Dictionary<string, string> _variables = null!;

    /// <summary>For the shell functions.</summary>
    private Dictionary<string, string> _played = null!;

    public async Task InitializeAsync()
    {
        _consoles = await Consoles.CreateAsync("pay");
        var sandbox = _consoles.Sandbox;
        var console = await _consoles.StartAsync(
            new Dictionary<string, string>(Consoles.Hasty)
            {
                ["CONSOLE_API_TOKENS"] = Token,
                ["ALERTS_INGEST_TOKEN"] = Token,
                ["FLAG_CONSOLE_ALERTS_AUTO_TICKET"] = "1",
                ["Alerts__NotifySeverity"] = "P2",
                // P3, so that only the click files a ticket for it.
                ["Surfaces__0__Severity"] = "P3",
            }
        );
        await Eventually.TrueAsync(async () => (await console.InvestigateAsync("pay")).Ticket is not null, "the surface has its ticket");
        using (sandbox.Faults.Add(new(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 }))
        using (sandbox.Faults.Add(new(FaultKind.Status) { Match = FaultMatch.Slack, StatusCode = 500 }))
        {
            (
                await console.AskAsync(
                    HttpMethod.Post,
                    "/api/alerts",
                    JsonContent.Create(
                        new
                        {
                            name = "disk_full",
                            severity = "P1",
                            summary = "It is full",
                            status = "firing",
                        }
                    ),
                    ("Authorization", $"Bearer {Token}")
                )
            ).Message.EnsureSuccessStatusCode();
            await Eventually.TrueAsync(
                () =>
                    new[] { "freescout degraded", "slack degraded" }.All(word =>
                        console.Output.ToString().Contains(word, StringComparison.Ordinal)
                    ),
                "both outages are in the log"
            );
        }

        await Eventually.TrueAsync(() => sandbox.FreeScout.Conversations.Count == 2, "the alert has its ticket");
        await Eventually.TrueAsync(
            async () =>
                (await console.GetAsync("/api/tickets?state=open&tag=auto:status")).Text.Contains(
                    "\"stale\":false",
                    StringComparison.Ordinal
                ),
            "the copy is fresh"
        );

        await Eventually.TrueAsync(
            async () =>
                (
                    await console.AskAsync(
                        HttpMethod.Post,
                        "/api/tickets/resolve",
                        JsonContent.Create(new { ids = new[] { sandbox.FreeScout.Conversations[0].Id } })
                    )
                )
                    .Body.GetProperty("results")[0]
                    .GetProperty("result")
                    .GetString() == "resolved",
            "the ticket is resolved"
        );

        // A file that bash reads before it runs the commands.
        var played = Path.Combine(_folder.FullName, "played");
        await File.WriteAllTextAsync(
            played,
            """
            heroku() {
              [[ "$* " == *" --app raxx-console-prod "* ]] || return 64
              case $1 in
                logs) cat "$RUNBOOK_LOG" ;;
                config:set) [[ $2 == *=?* ]] ;;
                config:unset | ps:restart) ;;
                run) [[ ${*: -1} == "$RELEASE_STEP" ]] ;;
                *) return 64 ;;
              esac
            }
            journalctl() { [[ "$*" == *"--unit autoticket-console" ]] && cat "$RUNBOOK_LOG"; }
            systemctl() { [[ "$*" == "restart autoticket-console" ]]; }
            # In front of && a failure would not end the shell.
            sudo() { "${@//\/etc\/autoticket-console\//}" || kill $$; }
            docker() {
              case "$*" in
                "logs autoticket" | "logs --follow autoticket") cat "$RUNBOOK_LOG" ;;
                "restart autoticket" | "compose up --detach --no-deps console" | "compose run --rm migrate") ;;
                *) return 64 ;;
              esac
            }
            # NAME- does not remove what the manifest sets: that comes by envFrom.
            kubectl() { [[ "$*" == *autoticket-console* && ( "$1 $2" != "set env" || ${*: -1} == *=* ) ]]; }
            infisical() { [[ "$1 $2 $3" == "secrets get FREESCOUT_API_KEY" ]] && echo "$VAULT"; }

            """
        );
        var log = Path.Combine(_folder.FullName, "log");
        await File.WriteAllTextAsync(log, console.Output.ToString());
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "console.env"), "");
        _variables = sandbox.ConsoleSettings().ToDictionary(setting => setting.Key, setting => setting.Value!.TrimEnd('/'));
        _variables["CONSOLE_URL"] = console.Address.AbsoluteUri.TrimEnd('/');
        _variables["CONSOLE_API_TOKEN"] = Token;
        _variables["ALERTS_INGEST_TOKEN"] = Token;
        var release = (await File.ReadAllLinesAsync(Path.Combine(ContentRoot.Find(), "Procfile"))).Single(line =>
            line.StartsWith("release: ", StringComparison.Ordinal)
        )["release: ".Length..];
        _played = new()
        {
            ["BASH_ENV"] = played,
            ["PATH"] = Environment.GetEnvironmentVariable("PATH")!,
            ["RELEASE_STEP"] = release,
            ["RUNBOOK_LOG"] = log,
            ["VAULT"] = _variables["FREESCOUT_API_KEY"],
        };
    }

    /// <summary>Runs the commands with the variables that a reader of the page has.</summary>
    public Task<(int Status, string Output, string Errors)> TypeAsync(RunbookBlock block) =>
        TypeAsync(block.Text, block.Names, _variables.Where(variable => block.Variables.Contains(variable.Key)));

    /// <inheritdoc cref="TypeAsync(RunbookBlock)"/>
    public Task<(int Status, string Output, string Errors)> TypeAsync(string commands) => TypeAsync(commands, "", _variables);

    /// <summary>Runs the commands in a shell that stops at the first error.</summary>
    /// <param name="names">Lines that set a name. One that this shell has, such as the console's address, keeps its value.</param>
    private async Task<(int Status, string Output, string Errors)> TypeAsync(
        string commands,
        string names,
        IEnumerable<KeyValuePair<string, string>> variables
    )
    {
        var given = variables.Concat(_played).ToDictionary();
        var set = names.Split('\n').Where(line => !given.ContainsKey(line.Split('=')[0]));
        var start = new ProcessStartInfo("bash", ["-euo", "pipefail", "-c", $"exec <<<typed\n{string.Join('\n', set)}\n{commands}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder.FullName,
        };
        start.Environment.Clear();
        foreach (var (name, value) in given)
        {
            start.Environment[name] = value;
        }

        using var shell = Process.Start(start)!;
        var (output, errors) = (shell.StandardOutput.ReadToEndAsync(), shell.StandardError.ReadToEndAsync());
        await shell.WaitForExitAsync().WaitAsync(Eventually.Patience);
        return (shell.ExitCode, await output, await errors);
    }

    /// <returns>The number of rows.</returns>
    public async Task<int> QueryAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(PostgresUrl.ToConnectionString(_consoles.Database.Location));
        await connection.OpenAsync();
        await using var query = new NpgsqlCommand(sql, connection);
        await using var rows = await query.ExecuteReaderAsync();
        var count = 0;
        while (await rows.ReadAsync())
        {
            count++;
        }

        return count;
    }

    public async Task DisposeAsync()
    {
        await _consoles.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}

/// <summary>The commands under docs work, and the links of all pages lead to existing files and headings.</summary>
public sealed partial class RunbookPagesTests(RunbookShell shell) : IClassFixture<RunbookShell>
{
    private static readonly string Root = Path.Combine(ContentRoot.Find(), "docs");

    public static TheoryData<RunbookBlock> Blocks => [.. Pages.SelectMany(BlocksOf)];

    private static IEnumerable<string> Pages =>
        Directory.EnumerateFiles(Root, "*.md", SearchOption.AllDirectories).Order(StringComparer.Ordinal);

    [Theory]
    [MemberData(nameof(Blocks))]
    public async Task The_commands_of_a_page_work_and_print_what_the_page_says(RunbookBlock block)
    {
        if (block.Language == "sql")
        {
            // This console has done everything the queries look for, except a sign-in: in Development the operator is signed in
            // automatically.
            var rows = await shell.QueryAsync(block.Text);
            Assert.True(
                rows > 0
                    || !block.Text.StartsWith("SELECT", StringComparison.Ordinal)
                    || block.Text.Contains("console.auth.", StringComparison.Ordinal),
                $"{block} found nothing"
            );
            return;
        }

        var (status, output, errors) = await shell.TypeAsync(block);
        // A sync may be late, as on a busy machine.
        for (
            var waited = Stopwatch.StartNew();
            block.Expected is { } expected && output != expected && waited.Elapsed < Eventually.Patience;

        )
        {
            await Task.Delay(TimeSpan.FromSeconds(1));
            (status, output, errors) = await shell.TypeAsync(block);
        }

        Assert.True(status == 0, $"{block} ended with {status}: {output}{errors}");
        Assert.Equal(block.Expected ?? output, output);
    }

    [Fact]
    public void A_command_for_one_way_to_run_the_console_stands_beside_those_for_the_others()
    {
        var blocks = Pages.SelectMany(BlocksOf).Where(block => LinesWith(block, "heroku ") > 0).ToList();

        Assert.InRange(blocks.Count, 10, 100);
        Assert.All(
            blocks,
            block =>
                Assert.True(
                    LinesWith(block, "journalctl ", "systemctl ") == LinesWith(block, "heroku ")
                        && LinesWith(block, "docker ") == LinesWith(block, "heroku "),
                    $"{block} has no line for systemd or for a container"
                )
        );

        static int LinesWith(RunbookBlock block, params IEnumerable<string> commands) =>
            block.Text.Split('\n').Count(line => commands.Any(command => line.Contains(command, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_page_registers_the_webhook_once_however_often_its_commands_are_typed()
    {
        const string hooks = """curl -s -H "X-FreeScout-API-Key: $FREESCOUT_API_KEY" "$FREESCOUT_BASE_URL/api/webhooks" """;
        var register = Pages.SelectMany(BlocksOf).Single(block => block.Text.Contains("/api/webhooks", StringComparison.Ordinal)).Text;

        await shell.TypeAsync(register);
        await shell.TypeAsync(register);

        var (_, known, _) = await shell.TypeAsync($"{hooks} | grep -oE '\"id\":[0-9]+' | cut -d: -f2");
        var id = Assert.Single(known.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        // The test of the page registers the webhook too.
        await shell.TypeAsync(hooks.Replace("curl -s", "curl -s -X DELETE", StringComparison.Ordinal).TrimEnd(' ', '"') + $"/{id}\"");
    }

    [Fact]
    public void Every_link_of_a_page_leads_to_an_existing_page_and_heading()
    {
        var links = Pages
            .Concat(Directory.EnumerateFiles(ContentRoot.Find(), "*.md"))
            .SelectMany(page => Link().Matches(File.ReadAllText(page)).Select(link => (page, target: link.Groups[1].Value)))
            .Where(link => !link.target.Contains("://", StringComparison.Ordinal))
            .ToList();

        Assert.NotEmpty(links);
        Assert.All(
            links,
            link =>
            {
                var (file, anchor) = link.target.Split('#') is [var name, var heading] ? (name, heading) : (link.target, null);
                var path = file.Length == 0 ? link.page : Path.Combine(Path.GetDirectoryName(link.page)!, file);
                Assert.True(File.Exists(path), $"{link.page} links to {link.target}");
                Assert.True(anchor is null || Anchors(path).Contains(anchor), $"{link.page} links to {link.target}");
            }
        );
    }

    /// <summary>The page's headings as anchors, by GitHub's rules.</summary>
    internal static IEnumerable<string> Anchors(string page) =>
        File.ReadLines(page)
            .Where(line => line.StartsWith('#'))
            .Select(line => NoWord().Replace(line.TrimStart('#').Trim().ToLowerInvariant(), "").Replace(' ', '-'));

    private static IEnumerable<RunbookBlock> BlocksOf(string page)
    {
        var text = File.ReadAllText(page);
        var names = Names().Match(text).Groups["names"].Value;
        var variables = new HashSet<string>();
        var end = 0;
        foreach (Match block in Block().Matches(text))
        {
            foreach (Match sentence in FromShell().Matches(text[end..block.Index]))
            {
                variables.UnionWith(sentence.Groups["name"].Captures.Select(name => name.Value));
            }

            end = block.Index;
            yield return new(
                Path.GetRelativePath(Root, page),
                text.AsSpan(0, block.Index).Count('\n') + 1,
                block.Groups["language"].Value,
                Dedented(block.Groups["text"].Value, block.Groups["indent"].Length),
                block.Groups["expected"] is { Success: true, Value: var expected } ? expected : null,
                names,
                variables.ToHashSet()
            );
            variables.UnionWith(Assigned().Matches(block.Groups["text"].Value).Select(assigned => assigned.Groups["name"].Value));
        }
    }

    private static string Dedented(string text, int indent) =>
        string.Join('\n', text.Split('\n').Select(line => line.Length >= indent ? line[indent..] : line));

    [GeneratedRegex(
        @"^(?<indent>[ ]*)```(?<language>sh|sql)\n(?<text>.*?)^\k<indent>```\n(\n```text\n(?<expected>.*?)^```)?",
        RegexOptions.Multiline | RegexOptions.Singleline
    )]
    private static partial Regex Block();

    [GeneratedRegex(@"^```sh\n(?<names>([A-Z_]+=\S+\n)+)```", RegexOptions.Multiline)]
    private static partial Regex Names();

    [GeneratedRegex(@"read[^.`\n]*(`(?<name>[A-Z_]+)`[^.`\n]*)+ from your shell")]
    private static partial Regex FromShell();

    [GeneratedRegex(@"^[ ]*(export |read -rs )?(?<name>[A-Z_]+)(=|$)", RegexOptions.Multiline)]
    private static partial Regex Assigned();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NoWord();
}
