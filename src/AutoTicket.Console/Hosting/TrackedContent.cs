using System.Net;
using System.Net.Http.Headers;

namespace AutoTicket.Hosting;

/// <summary>
/// A JSON body that knows whether its sending began. HttpClient writes it once the connection is open. If <see cref="WasSent"/> is false,
/// the server received nothing, however the call failed; HttpClient's error codes don't tell.
/// </summary>
/// <param name="sendUntil">Checked right before the body is sent; after this time the request is stopped. Null: no limit.</param>
internal sealed class TrackedContent : HttpContent
{
    private readonly byte[] _json;
    private readonly DateTimeOffset? _sendUntil;
    private readonly TimeProvider _clock;

    public TrackedContent(byte[] json, DateTimeOffset? sendUntil, TimeProvider clock)
    {
        (_json, _sendUntil, _clock) = (json, sendUntil, clock);
        Headers.ContentType = new MediaTypeHeaderValue("application/json") { CharSet = "utf-8" };
    }

    public bool WasSent { get; private set; }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        if (_sendUntil is { } until && _clock.GetUtcNow() >= until)
        {
            throw new TooLateException();
        }

        WasSent = true;
        await stream.WriteAsync(_json, cancellationToken);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = _json.Length;
        return true;
    }

    /// <summary>The caller lost the right to send while the connection was opened.</summary>
    internal sealed class TooLateException() : Exception("too late to send");
}
