using System.Net.Http.Headers;
using System.Text.Json;
using AutoTicket.Data;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Processes;

/// <summary>One console of a schedule with its own connection to the database. It is a process that restarts on the same port, or a
/// console in the test process, whose clock may be wrong.</summary>
internal sealed class Replica : IAsyncDisposable
{
    /// <summary>Longer than any answer may take. It ends calls to a frozen process.</summary>
    private static readonly TimeSpan CallPatience = TimeSpan.FromSeconds(15);

    /// <summary>Stands for the time at the start of a process's log line.</summary>
    private const string Stamp = "2026-01-01T00:00:00.000Z";

    private readonly SemaphoreSlim _oneAtATime = new(1, 1);
    private readonly Dictionary<string, string> _settings;
    private readonly List<ConsoleProcess> _processes = [];
    private readonly HttpClient _http;
    private readonly SandboxServer? _sandbox;
    private readonly TimeSpan _off;
    private ConsoleHost? _host;

    /// <param name="sandbox">Null starts a process, with a correct clock.</param>
    /// <param name="off">How far the clock is ahead.</param>
    public Replica(Dictionary<string, string> settings, string databaseUrl, SandboxServer? sandbox = null, TimeSpan off = default)
    {
        (_sandbox, _off) = (sandbox, off);
        Line = TcpProxy.To(databaseUrl);
        var port = LoopbackPort.Next();
        _settings = new(settings) { ["DATABASE_URL"] = Line.Through(databaseUrl), ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{port}" };
        _http = new(new SocketsHttpHandler { UseProxy = false })
        {
            BaseAddress = new Uri($"http://127.0.0.1:{port}"),
            Timeout = CallPatience,
        };
    }

    public TcpProxy Line { get; }

    public Uri Address => _http.BaseAddress!;

    /// <summary>Standard output and standard error of each run, the oldest first.</summary>
    public IEnumerable<(IReadOnlyList<string> Lines, IReadOnlyList<string> Errors)> Logs =>
        _host is null
            ? _processes.Select(process => (process.Output.ToList(), process.Errors.ToList()))
            : [([.. _host.Log.Select(line => $"{Stamp} {line.ReplaceLineEndings(" ")}")], [])];

    private ConsoleProcess Process => _processes[^1];

    public Task StartAsync() =>
        AloneAsync(async () =>
        {
            if (_sandbox is null)
            {
                _processes.Add(await ConsoleProcess.StartAsync(_settings));
                return;
            }

            _host = await ConsoleHost.StartAsync(
                sandbox: _sandbox,
                settings: ConsoleHost.SettingsOf(_settings),
                clock: new DatabaseClock(new SkewedClockTests.Skewed(_off))
            );
            _host.ExpectsErrors = true; // the invariants report them
        });

    /// <summary>Kills the process with SIGKILL and starts it again.</summary>
    public Task KillAsync(TimeSpan downFor) =>
        AloneAsync(async () =>
        {
            await Process.KillAsync();
            await Task.Delay(downFor);
            _processes.Add(await ConsoleProcess.StartAsync(_settings));
        });

    /// <summary>Stops the process with SIGTERM and starts it again.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> TerminateAsync(TimeSpan downFor)
    {
        var code = 0;
        await AloneAsync(async () =>
        {
            code = await Process.StopAsync();
            await Task.Delay(downFor);
            _processes.Add(await ConsoleProcess.StartAsync(_settings));
        });
        return code;
    }

    public Task FreezeAsync(TimeSpan time) =>
        AloneAsync(async () =>
        {
            Process.Freeze();
            await Task.Delay(time);
            Process.Thaw();
        });

    /// <returns>Null without an answer, because the process is down or was stopped during the call.</returns>
    public async Task<Answer?> AskAsync(HttpMethod method, string path, object? body = null, string? bearer = null)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Content = body is null ? null : System.Net.Http.Json.JsonContent.Create(body);
        request.Headers.Authorization = bearer is null ? null : new AuthenticationHeaderValue("Bearer", bearer);
        try
        {
            using var response = await _http.SendAsync(request);
            var text = await response.Content.ReadAsStringAsync();
            var isJson = response.Content.Headers.ContentType?.MediaType?.EndsWith("json", StringComparison.Ordinal) == true;
            return new(response.StatusCode, isJson ? JsonSerializer.Deserialize<JsonElement>(text) : default, text, response);
        }
        catch (Exception away) when (away is HttpRequestException or OperationCanceledException or IOException)
        {
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            await process.DisposeAsync();
        }

        if (_host is not null)
        {
            await _host.DisposeAsync();
        }

        await Line.DisposeAsync();
        _http.Dispose();
        _oneAtATime.Dispose();
    }

    private async Task AloneAsync(Func<Task> act)
    {
        await _oneAtATime.WaitAsync();
        try
        {
            await act();
        }
        finally
        {
            _oneAtATime.Release();
        }
    }
}
