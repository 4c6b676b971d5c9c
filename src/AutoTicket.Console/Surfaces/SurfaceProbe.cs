using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using AutoTicket.Data;

namespace AutoTicket.Surfaces;

/// <summary>Asks a surface once and says what came of it. Never throws: whatever goes wrong is what it saw.</summary>
internal sealed class SurfaceProbe : IDisposable
{
    /// <summary>Of a body we look for text in; the rest is not read.</summary>
    private const int MostBody = 1024 * 1024;
    private const int LongestCause = 200;
    private const int MostRedirects = 5;
    private static readonly HttpRequestOptionsKey<Contact> ContactKey = new("contact");
    private static readonly Histogram<double> Probes = Telemetry.Seconds(
        "autoticket.probe.duration",
        "Probes of surfaces, by what came of them."
    );

    private readonly TimeProvider _clock;
    private readonly HttpMessageInvoker _http;

    /// <summary>Whether the far host's network stack answered, by a connection or a refusal.</summary>
    private sealed class Contact
    {
        public bool Made { get; set; }
    }

    public SurfaceProbe(TimeProvider clock)
    {
        _clock = clock;
        _http = new HttpMessageInvoker(
            new SocketsHttpHandler
            {
                // A fresh connection each time: a surface whose name or certificate is broken must not live on in a pool.
                PooledConnectionLifetime = TimeSpan.Zero,
                AllowAutoRedirect = false,
                UseCookies = false,
                AutomaticDecompression = DecompressionMethods.All,
                MaxResponseHeadersLength = 64,
                ConnectCallback = ConnectAsync,
            }
        );
    }

    public void Dispose() => _http.Dispose();

    public async Task<SurfaceReading> ProbeAsync(Surface surface, CancellationToken cancellationToken)
    {
        var begun = _clock.GetTimestamp();
        var contact = new Contact();
        using var timeout = new CancellationTokenSource(surface.Timeout, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        string? failure;
        try
        {
            failure = await AskAsync(surface, contact, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            failure = contact.Made
                ? $"connected, but no whole answer within {Seconds(surface.Timeout)}"
                : $"no connection within {Seconds(surface.Timeout)}";
        }
#pragma warning disable CA1031 // a probe never throws: what the network or the far side does is the result
        catch (Exception exception) when (exception is not OperationCanceledException)
#pragma warning restore CA1031
        {
            failure = Explain(exception);
        }

        var elapsed = _clock.GetElapsedTime(begun);
        var outcome =
            failure is not null ? ReadingOutcome.Failed
            : elapsed > surface.SlowAfter ? ReadingOutcome.Slow
            : ReadingOutcome.Ok;
        Probes.Record(elapsed.TotalSeconds, new KeyValuePair<string, object?>("outcome", Words.Of(outcome)));
        return new SurfaceReading
        {
            SurfaceKey = surface.Key,
            CheckedAt = _clock.GetUtcNow(),
            Outcome = outcome,
            LatencyMs = failure is null ? (int)elapsed.TotalMilliseconds : null,
            Cause =
                failure is not null ? OneLine(failure)
                : elapsed > surface.SlowAfter ? $"slow: {Seconds(elapsed)}, more than {Seconds(surface.SlowAfter)}"
                : null,
            Reached = contact.Made,
        };
    }

    /// <returns>Null when the answer was as expected; otherwise what was wrong with it.</returns>
    private async Task<string?> AskAsync(Surface surface, Contact contact, CancellationToken cancellationToken)
    {
        var url = surface.Url;
        for (var redirects = 0; ; redirects++)
        {
            using var request = new HttpRequestMessage(new HttpMethod(surface.Method), url) { Version = HttpVersion.Version11 };
            request.Headers.UserAgent.ParseAdd("AutoTicket-Console/1.0");
            request.Options.Set(ContactKey, contact);
            using var response = await _http.SendAsync(request, cancellationToken);
            var code = (int)response.StatusCode;
            if (!surface.ExpectedStatus.Contains(code) && code is >= 301 and <= 308 && response.Headers.Location is { } location)
            {
                url = new Uri(url, location);
                // To another host, or from https to http, the answer would be somebody else's.
                if (
                    redirects >= MostRedirects
                    || url.Host != surface.Url.Host
                    || (surface.Url.Scheme == "https" && url.Scheme != "https")
                    || url.Scheme is not ("http" or "https")
                )
                {
                    return $"HTTP {code}: redirects to {url.Scheme}://{url.Authority}";
                }

                continue;
            }

            var body = await ReadAsync(response, surface.ExpectedText.Length > 0, cancellationToken);
            return !surface.ExpectedStatus.Contains(code) ? $"HTTP {code} {response.ReasonPhrase}, expected {surface.ExpectedStatus}"
                : surface.ExpectedText.Length > 0 && !body.Contains(surface.ExpectedText, StringComparison.Ordinal)
                    ? $"HTTP {code}, but the expected text is not in the answer"
                : null;
        }
    }

    /// <summary>Reads to the end, or to <see cref="MostBody"/>: an answer that hangs half-way is not an answer.</summary>
    private static async Task<string> ReadAsync(HttpResponseMessage response, bool keep, CancellationToken cancellationToken)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var buffer = new byte[8192];
        using var kept = new MemoryStream();
        int read,
            total = 0;
        while (total < MostBody && (read = await stream.ReadAsync(buffer, cancellationToken)) > 0)
        {
            total += read;
            if (keep)
            {
                kept.Write(buffer, 0, read);
            }
        }

        return Encoding.UTF8.GetString(kept.GetBuffer(), 0, (int)kept.Length);
    }

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        context.InitialRequestMessage.Options.TryGetValue(ContactKey, out var contact);
        try
        {
            var stream = await HappyEyeballs.ConnectAsync(context, cancellationToken);
            contact!.Made = true;
            return stream;
        }
        catch (SocketException refused) when (refused.SocketErrorCode == SocketError.ConnectionRefused)
        {
            contact!.Made = true;
            throw;
        }
    }

    private static string Explain(Exception exception) =>
        exception switch
        {
            HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => "the host name can't be resolved",
            HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } =>
                $"TLS failed: {exception.GetBaseException().Message}",
            _ => exception.GetBaseException()
                is SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain }
                ? "the host name can't be resolved"
            : exception.GetBaseException() is SocketException { SocketErrorCode: SocketError.ConnectionRefused }
                ? "the connection is refused"
            : exception.GetBaseException().Message,
        };

    private static string Seconds(TimeSpan time) =>
        time.TotalSeconds.ToString("0.##", System.Globalization.CultureInfo.InvariantCulture) + " s";

    private static string OneLine(string text)
    {
        return CleanText.Cut(HiddenCharacter.Blank(text).Trim(), LongestCause);
    }
}
