using System.Diagnostics;

namespace AutoTicket.Tests.Kit;

/// <summary>How a verb of the console ended.</summary>
public sealed record ConsoleResult(int ExitCode, string Output, string Errors);

/// <summary>The built console as a real process of the operating system, which can be killed and frozen like one. Its
/// environment is exactly the settings given, its folder a temporary one; both end with it.</summary>
public sealed class ConsoleProcess : IConsole, IAsyncDisposable
{
    private const string Listening = "Now listening on: ";

    /// <summary>A start takes two to three seconds of a core; beside a full test run, a multiple of that.</summary>
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(120);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("autoticket-console-");
    private readonly Process _process;
    private readonly Task _outputs;
    private HttpClient? _http;

    private ConsoleProcess(IEnumerable<string> arguments, IReadOnlyDictionary<string, string> settings, DirectoryInfo? published = null)
    {
        _process = Process.Start(ConsoleBinary.StartInfo(arguments, settings, _folder, published))!;
        Reaper.Watch(_process.Id);
        _outputs = Task.WhenAll(Output.ReadAsync(_process.StandardOutput), Errors.ReadAsync(_process.StandardError));
    }

    /// <summary>Standard output: the log.</summary>
    public OutputLines Output { get; } = new();

    public OutputLines Errors { get; } = new();

    public int Id => _process.Id;

    /// <summary>Talks to the console at its address, past any proxy; cookies are kept.</summary>
    public HttpClient Http => _http ?? throw new InvalidOperationException("The console does not listen yet.");

    public Uri Address => Http.BaseAddress!;

    /// <summary>Starts the console and returns once it listens, on a free loopback port unless the settings name one.</summary>
    /// <exception cref="InvalidOperationException">It ended or did not listen in time; tells its output.</exception>
    public static Task<ConsoleProcess> StartAsync(IReadOnlyDictionary<string, string> settings, params IEnumerable<string> arguments) =>
        StartAsync(new ConsoleProcess(arguments, settings));

    /// <summary>The same for a console that was published into a folder; its working folder is another one.</summary>
    public static Task<ConsoleProcess> StartPublishedAsync(DirectoryInfo published, IReadOnlyDictionary<string, string> settings) =>
        StartAsync(new ConsoleProcess([], settings, published));

    private static async Task<ConsoleProcess> StartAsync(ConsoleProcess console)
    {
        try
        {
            var line = await console.Output.WaitForLineAsync(line => line.Contains(Listening, StringComparison.Ordinal), StartPatience);
            // Up to the quotation mark, where the log is JSON.
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

    /// <summary>Starts a verb and returns at once: it is to be killed on its way.</summary>
    public static ConsoleProcess Launch(IEnumerable<string> arguments, IReadOnlyDictionary<string, string> settings) =>
        new(arguments, settings);

    /// <summary>Runs a verb, feeds it standard input, and returns what it answered.</summary>
    /// <exception cref="TimeoutException">It had not ended in time (two minutes unless told otherwise); tells its output.</exception>
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
            // It ended without reading its input, which is its own business.
        }

        var exitCode = await console.WaitForExitAsync(timeout ?? StartPatience);
        return new ConsoleResult(exitCode, console.Output.ToString(), console.Errors.ToString());
    }

    /// <summary>Asks it to end (SIGTERM), as a host does before a restart, and returns its exit code.</summary>
    public Task<int> StopAsync(TimeSpan? timeout = null)
    {
        if (!_process.HasExited)
        {
            Signals.Send(_process.Id, Signal.Terminate);
        }

        return WaitForExitAsync(timeout ?? Eventually.Patience);
    }

    /// <summary>Ends it at once (SIGKILL): nothing is flushed, released or said goodbye to.</summary>
    public Task KillAsync()
    {
        _process.Kill();
        return WaitForExitAsync(Eventually.Patience);
    }

    /// <summary>Freezes it (SIGSTOP): its connections stay open, its leases run out.</summary>
    public void Freeze() => Signals.Send(_process.Id, Signal.Stop);

    public void Thaw() => Signals.Send(_process.Id, Signal.Continue);

    /// <summary>Waits until it has ended and all its output is read.</summary>
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
