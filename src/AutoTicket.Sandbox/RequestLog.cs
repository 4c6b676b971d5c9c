using System.Collections.Concurrent;

namespace AutoTicket.Sandbox;

/// <summary>The last 20,000 requests, oldest first; bounded, because a demo may run for days.</summary>
internal sealed class RequestLog
{
    private const int Kept = 20_000;
    private readonly ConcurrentQueue<RecordedRequest> _requests = new();

    public IReadOnlyList<RecordedRequest> All => [.. _requests];

    public void Add(RecordedRequest request)
    {
        _requests.Enqueue(request);
        if (_requests.Count > Kept)
        {
            _requests.TryDequeue(out _);
        }
    }

    public IReadOnlyList<RecordedRequest> Under(string path) =>
        [.. _requests.Where(request => request.Path.StartsWith(path, StringComparison.Ordinal))];

    public void Clear() => _requests.Clear();
}
