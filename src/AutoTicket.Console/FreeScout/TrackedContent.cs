using System.Net;
using System.Net.Http.Headers;

namespace AutoTicket.FreeScout;

/// <summary>
/// A JSON body that knows whether it was begun to be sent. It is written after the connection stands, so <see cref="WasSent"/>
/// false proves that FreeScout received nothing, whichever way the call failed: HttpClient's error codes do not tell.
/// It is also the last moment at which we can still say no.
/// </summary>
/// <param name="maySend">Asked at that moment; false stops the request unsent.</param>
internal sealed class TrackedContent : HttpContent
{
    private readonly byte[] _json;
    private readonly Func<bool> _maySend;

    public TrackedContent(byte[] json, Func<bool> maySend)
    {
        (_json, _maySend) = (json, maySend);
        Headers.ContentType = new MediaTypeHeaderValue("application/json") { CharSet = "utf-8" };
    }

    public bool WasSent { get; private set; }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        if (!_maySend())
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

    /// <summary>The caller lost the right to send while the connection was made.</summary>
    internal sealed class TooLateException() : Exception("too late to send");
}
