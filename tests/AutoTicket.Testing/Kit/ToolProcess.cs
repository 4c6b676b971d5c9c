using System.Diagnostics;

namespace AutoTicket.Tests.Kit;

/// <summary>A third-party program that runs in a temporary folder with its configuration. Disposing it kills the program and deletes the
/// folder.</summary>
internal sealed class ToolProcess : IAsyncDisposable
{
    private readonly DirectoryInfo _folder;
    private readonly Process _process;
    private readonly Task _outputs;

    private ToolProcess(DirectoryInfo folder, Process process)
    {
        (_folder, _process) = (folder, process);
        Reaper.Watch(process.Id);
        _outputs = Task.WhenAll(Output.ReadAsync(process.StandardOutput), Output.ReadAsync(process.StandardError));
    }

    /// <summary>Its standard output and standard error.</summary>
    public OutputLines Output { get; } = new();

    public int Id => _process.Id;

    /// <summary>Waits for its end.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(Eventually.Patience);
        return _process.ExitCode;
    }

    /// <param name="files">Names and contents of files to write to the working folder before the start.</param>
    public static ToolProcess Start(string program, IReadOnlyDictionary<string, string> files, params IEnumerable<string> arguments)
    {
        var folder = Directory.CreateTempSubdirectory("autoticket-tool-");
        try
        {
            foreach (var (name, content) in files)
            {
                File.WriteAllText(Path.Combine(folder.FullName, name), content);
            }

            return new ToolProcess(
                folder,
                Process.Start(
                    new ProcessStartInfo(program, arguments)
                    {
                        WorkingDirectory = folder.FullName,
                        RedirectStandardOutput = true,
                        RedirectStandardError = true,
                    }
                )!
            );
        }
        catch
        {
            folder.Delete(recursive: true);
            throw;
        }
    }

    /// <summary>Rewrites a configuration file and sends SIGHUP, so that the program reads it again.</summary>
    public void Reload(string file, string content)
    {
        File.WriteAllText(Path.Combine(_folder.FullName, file), content);
        Signals.Send(_process.Id, Signal.HangUp);
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await Task.WhenAll(_process.WaitForExitAsync(), _outputs);
        Reaper.Forget(_process.Id);
        _process.Dispose();
        _folder.Delete(recursive: true);
    }
}
