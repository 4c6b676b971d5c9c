using System.Text.Json;
using System.Threading.Channels;

namespace AutoTicket.Sandbox;

/// <summary>
/// Keeps FreeScout's state in a JSON file. Written behind the answer and as often as the disk follows; each time whole and
/// under another name first, so that whatever ends the process leaves the last complete state.
/// </summary>
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

    /// <summary>A new state where there is no file; a file that can't be read is put aside as <c>.broken</c>, never overwritten.</summary>
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
            // By process: two consoles of one developer may share a file, the last one to write wins, and neither breaks it.
            var next = $"{_path}.{Environment.ProcessId}.new";
            await File.WriteAllBytesAsync(next, _snapshot());
            File.Move(next, _path, overwrite: true);
        }
    }
}
