using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using AutoTicket.Data;

namespace AutoTicket.Surfaces;

/// <summary>Sends one request to a surface and returns the reading. Never throws: a failure is a reading, too.</summary>
internal sealed class SurfaceProbe : IDisposable
{
    /// <summary>How many bytes of a body are read.</summary>
    private const int MostBody = 1024 * 1024;
    private const int LongestCause = 200;
    private const string DnsFailed = "DNS lookup failed";
    private const int MostRedirects = 5;
    private static readonly HttpRequestOptionsKey<Contact> ContactKey = new("contact");
    private static readonly Histogram<double> Probes = Telemetry.Seconds("autoticket.probe.duration", "Probes of surfaces, by outcome.");

    private readonly TimeProvider _clock;
    private readonly HttpMessageInvoker _http;

    /// <summary>What the connections of one probe showed about the surface's host.</summary>
    private sealed class Contact
    {
        /// <summary>It accepted or refused a connection, or answered through a proxy.</summary>
        public bool Made { get; set; }

        /// <summary>The end of the validity of the certificate that it presented first.</summary>
        public DateTimeOffset? CertificateUntil { get; set; }
    }

    /// <param name="proxy">Null: the one of the environment (<c>HTTPS_PROXY</c>, <c>HTTP_PROXY</c>, <c>NO_PROXY</c>), if any.</param>
    public SurfaceProbe(TimeProvider clock, IWebProxy? proxy = null)
    {
        _clock = clock;
        _http = new HttpMessageInvoker(
            new SocketsHttpHandler
            {
                // A new connection each time: a pooled one would hide a broken DNS name or certificate.
                PooledConnectionLifetime = TimeSpan.Zero,
                Proxy = proxy,
                AllowAutoRedirect = false,
                UseCookies = false,
                AutomaticDecompression = DecompressionMethods.All,
                MaxResponseHeadersLength = 64,
                ConnectCallback = ConnectAsync,
                PlaintextStreamFilter = NoteCertificate,
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
                ? $"Timed out: no complete response in {Seconds(surface.Timeout)}"
                : $"Timed out: no connection in {Seconds(surface.Timeout)}";
        }
#pragma warning disable CA1031 // a probe never throws: whatever fails is the reading
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
                : elapsed > surface.SlowAfter ? $"Slow: {Seconds(elapsed)} (limit {Seconds(surface.SlowAfter)})"
                : null,
            Reached = contact.Made,
            CertificateUntil = surface.Url.Scheme == Uri.UriSchemeHttps ? contact.CertificateUntil : null,
        };
    }

    /// <returns>What is wrong with the response; null: it is as expected.</returns>
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
            // Through a proxy, these may be the proxy's own answers.
            contact.Made |= code is not (407 or 502 or 503 or 504);
            if (!surface.ExpectedStatus.Contains(code) && code is >= 301 and <= 308 && response.Headers.Location is { } location)
            {
                url = new Uri(url, location);
                // The response of another host, or over http instead of https, does not prove that the surface works.
                if (
                    url.Host != surface.Url.Host
                    || (surface.Url.Scheme == "https" && url.Scheme != "https")
                    || url.Scheme is not ("http" or "https")
                )
                {
                    return $"HTTP {code}: redirects to {url.Scheme}://{url.Authority}";
                }

                if (redirects >= MostRedirects)
                {
                    return $"HTTP {code}: more than {MostRedirects} redirects";
                }

                continue;
            }

            var body = await ReadAsync(response, surface.ExpectedText.Length > 0, cancellationToken);
            return !surface.ExpectedStatus.Contains(code) ? $"HTTP {code} {response.ReasonPhrase}{Expectation(surface)}"
                : surface.ExpectedText.Length > 0 && !body.Contains(surface.ExpectedText, StringComparison.Ordinal)
                    ? $"HTTP {code}, but the response lacks the expected text"
                : null;
        }
    }

    /// <summary>Named only if it is not the default, so that the common causes fit a tile.</summary>
    private static string Expectation(Surface surface) =>
        surface.ExpectedStatus.Text == StatusCodes.Success.Text ? "" : $", expected {surface.ExpectedStatus}";

    /// <summary>Reads to the end, or to <see cref="MostBody"/>, because a response that hangs half-way is a failure.</summary>
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
        try
        {
            var stream = await HappyEyeballs.ConnectAsync(context, cancellationToken);
            NoteContact();
            return stream;
        }
        catch (SocketException refused) when (refused.SocketErrorCode == SocketError.ConnectionRefused)
        {
            NoteContact();
            throw;
        }

        // A proxy accepts and refuses connections also when the network behind it is lost.
        void NoteContact()
        {
            var (request, endPoint) = (context.InitialRequestMessage, context.DnsEndPoint);
            if (
                request.Options.TryGetValue(ContactKey, out var contact)
                && (endPoint.Host, endPoint.Port) == (request.RequestUri!.IdnHost, request.RequestUri.Port)
            )
            {
                contact.Made = true;
            }
        }
    }

    /// <summary>Called after a handshake that succeeded. The callback that validates certificates does not know the request.</summary>
    private static ValueTask<Stream> NoteCertificate(SocketsHttpPlaintextStreamFilterContext context, CancellationToken cancellationToken)
    {
        if (
            context.PlaintextStream is SslStream { RemoteCertificate: X509Certificate2 certificate }
            // With http, it is the certificate of a proxy.
            && context.InitialRequestMessage.RequestUri!.Scheme == Uri.UriSchemeHttps
            && context.InitialRequestMessage.Options.TryGetValue(ContactKey, out var contact)
        )
        {
            contact.Made = true;
            contact.CertificateUntil ??= new DateTimeOffset(certificate.NotAfter).ToUniversalTime();
        }

        return ValueTask.FromResult(context.PlaintextStream);
    }

    private static string Explain(Exception exception) =>
        exception switch
        {
            HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => DnsFailed,
            HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } =>
                $"TLS failed: {exception.GetBaseException().Message}",
            _ => exception.GetBaseException()
                is SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain }
                ? DnsFailed
            : exception.GetBaseException() is SocketException { SocketErrorCode: SocketError.ConnectionRefused } ? "Connection refused"
            : exception.GetBaseException().Message,
        };

    private static string Seconds(TimeSpan time) =>
        time.TotalSeconds.ToString("0.##", System.Globalization.CultureInfo.InvariantCulture) + " s";

    private static string OneLine(string text) => CleanText.Cut(HiddenCharacter.Blank(text).Trim(), LongestCause);
}
