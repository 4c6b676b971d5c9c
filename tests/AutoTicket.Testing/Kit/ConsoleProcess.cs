using System.Diagnostics;

namespace AutoTicket.Tests.Kit;

/// <summary>Exit code and output of a verb of the console.</summary>
public sealed record ConsoleResult(int ExitCode, string Output, string Errors);

/// <summary>The built console as an operating system process, which a test can kill and freeze. Its environment holds only the given
/// settings. Disposing it kills the process and deletes its temporary folder.</summary>
public sealed class ConsoleProcess : IConsole, IAsyncDisposable
{
    private const string Listening = "Now listening on: ";

    /// <summary>A start takes two to three seconds of a core, and several times that during a full test run.</summary>
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(120);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("autoticket-console-");
    private readonly Process _process;
    private readonly Task _outputs;
    private HttpClient? _http;

    private ConsoleProcess(IEnumerable<string> arguments, IReadOnlyDictionary<string, string> settings, string? program = null)
    {
        _process = Process.Start(ConsoleBinary.StartInfo(arguments, settings, _folder, program))!;
        Reaper.Watch(_process.Id);
        _outputs = Task.WhenAll(Output.ReadAsync(_process.StandardOutput), Errors.ReadAsync(_process.StandardError));
    }

    /// <summary>Lines on standard output, which is the log.</summary>
    public OutputLines Output { get; } = new();

    public OutputLines Errors { get; } = new();

    public int Id => _process.Id;

    /// <summary>A client for the console's address. It bypasses proxies and keeps cookies.</summary>
    public HttpClient Http => _http ?? throw new InvalidOperationException("The console does not listen yet.");

    public Uri Address => Http.BaseAddress!;

    /// <summary>Starts the console and returns once it listens, on a free loopback port unless the settings name one.</summary>
    /// <exception cref="InvalidOperationException">The console exited or did not listen in time. The message holds its output.</exception>
    public static Task<ConsoleProcess> StartAsync(IReadOnlyDictionary<string, string> settings, params IEnumerable<string> arguments) =>
        StartAsync(new ConsoleProcess(arguments, settings));

    /// <summary>Starts a console that was published into a folder. Its working folder is a different one.</summary>
    public static Task<ConsoleProcess> StartPublishedAsync(DirectoryInfo published, IReadOnlyDictionary<string, string> settings) =>
        StartAsync(new ConsoleProcess([], settings, ConsoleBinary.PublishedIn(published)));

    /// <summary>Starts the bare Blazor app instead of a console, for benchmarks.</summary>
    public static Task<ConsoleProcess> StartBareBlazorAsync(IReadOnlyDictionary<string, string> settings) =>
        StartAsync(new ConsoleProcess([], settings, ConsoleBinary.BareBlazor));

    private static async Task<ConsoleProcess> StartAsync(ConsoleProcess console)
    {
        try
        {
            var line = await console.Output.WaitForLineAsync(line => line.Contains(Listening, StringComparison.Ordinal), StartPatience);
            // In a JSON log a quotation mark ends the address.
            var address = line[(line.IndexOf(Listening, StringComparison.Ordinal) + Listening.Length)..].Split('"')[0].Trim();
            console._http = new HttpClient(new SocketsHttpHandler { UseProxy = false })
            {
                BaseAddress = new Uri(address),
                Timeout = Eventually.Patience,
            };
            return console;
        }
        catch (TimeoutException silence)
        {
            await console.DisposeAsync();
            throw new InvalidOperationException($"The console did not start. {silence.Message}\n{console.Errors}", silence);
        }
    }

    /// <summary>Starts a verb without waiting for it, for tests that kill it while it runs.</summary>
    public static ConsoleProcess Launch(IEnumerable<string> arguments, IReadOnlyDictionary<string, string> settings) =>
        new(arguments, settings);

    /// <summary>Runs a verb with the given standard input; returns its exit code and output.</summary>
    /// <exception cref="TimeoutException">The verb did not exit in time (default: two minutes). The message holds its output.</exception>
    public static async Task<ConsoleResult> RunToEndAsync(
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string> settings,
        string input = "",
        TimeSpan? timeout = null
    )
    {
        await using var console = new ConsoleProcess(arguments, settings);
        try
        {
            await console._process.StandardInput.WriteAsync(input);
            console._process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The verb exited without reading its input; the caller checks the exit code.
        }

        var exitCode = await console.WaitForExitAsync(timeout ?? StartPatience);
        return new ConsoleResult(exitCode, console.Output.ToString(), console.Errors.ToString());
    }

    /// <summary>Stops the console with SIGTERM, as a platform does before a restart; returns its exit code.</summary>
    public Task<int> StopAsync(TimeSpan? timeout = null)
    {
        if (!_process.HasExited)
        {
            Signals.Send(_process.Id, Signal.Terminate);
        }

        return WaitForExitAsync(timeout ?? Eventually.Patience);
    }

    /// <summary>Kills the console with SIGKILL: it flushes and releases nothing.</summary>
    public Task KillAsync()
    {
        _process.Kill();
        return WaitForExitAsync(Eventually.Patience);
    }

    /// <summary>Freezes the console with SIGSTOP: its connections stay open while its leases expire.</summary>
    public void Freeze() => Signals.Send(_process.Id, Signal.Stop);

    public void Thaw() => Signals.Send(_process.Id, Signal.Continue);

    /// <summary>Waits until the process has exited and all its output is read.</summary>
    public async Task<int> WaitForExitAsync(TimeSpan timeout)
    {
        try
        {
            await Task.WhenAll(_process.WaitForExitAsync(), _outputs).WaitAsync(timeout);
            return _process.ExitCode;
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException($"The console had not ended after {timeout.TotalSeconds:0} s.\n{Output}\n{Errors}", late);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        Reaper.Forget(_process.Id);
        _http?.Dispose();
        _process.Dispose();
        _folder.Delete(recursive: true);
    }
}
