using System.Text.Json;
using System.Threading.Channels;

namespace AutoTicket.Sandbox;

/// <summary>Keeps FreeScout's state in a JSON file, written in the background.</summary>
/// <remarks>Each write goes to another file that is then renamed, so that a kill leaves the last complete state.</remarks>
internal sealed class StateFile : IAsyncDisposable
{
    private readonly string _path;
    private readonly Func<byte[]> _snapshot;
    private readonly Channel<bool> _dirty = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }
    );
    private readonly Task _writing;

    public StateFile(string path, Func<byte[]> snapshot)
    {
        (_path, _snapshot) = (Path.GetFullPath(path), snapshot);
        Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        _writing = Task.Run(WriteOnAsync);
    }

    /// <summary>The saved state, or a new one. An unreadable file is renamed to <c>.broken</c>.</summary>
    public static FreeScoutState Load(string path)
    {
        if (!File.Exists(path))
        {
            return new FreeScoutState();
        }

        try
        {
            using var file = File.OpenRead(path);
            return JsonSerializer.Deserialize<FreeScoutState>(file, Answer.JsonOptions) ?? new FreeScoutState();
        }
        catch (JsonException)
        {
            File.Move(path, path + ".broken", overwrite: true);
            return new FreeScoutState();
        }
    }

    public void Touch() => _dirty.Writer.TryWrite(true);

    public async ValueTask DisposeAsync()
    {
        _dirty.Writer.TryComplete();
        await _writing;
    }

    private async Task WriteOnAsync()
    {
        await foreach (var _ in _dirty.Reader.ReadAllAsync())
        {
            // One name per process: two consoles may share the file; the last write wins, and none is corrupted.
            var next = $"{_path}.{Environment.ProcessId}.new";
            try
            {
                await File.WriteAllBytesAsync(next, _snapshot());
                File.Move(next, _path, overwrite: true);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                await Console.Error.WriteLineAsync($"The sandbox can't save its tickets: {exception.Message}");
            }
        }
    }
}
