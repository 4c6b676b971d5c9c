using System.Diagnostics;

namespace AutoTicket.Tests.Kit;

/// <summary>A program that is not ours, run in a temporary folder that holds its configuration; both end with it.</summary>
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

    /// <summary>All that it wrote.</summary>
    public OutputLines Output { get; } = new();

    public int Id => _process.Id;

    /// <param name="files">Names and contents, written into its working folder before it starts.</param>
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

    /// <summary>Rewrites one of its files and has it read them again (SIGHUP).</summary>
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
