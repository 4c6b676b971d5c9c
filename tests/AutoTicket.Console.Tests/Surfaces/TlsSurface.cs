using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace AutoTicket.Tests.Surfaces;

/// <summary>A surface over https with a certificate of its own, which only a process that is told to trusts.</summary>
internal sealed class TlsSurface : IAsyncDisposable
{
    private readonly X509Certificate2 _certificate;
    private readonly WebApplication _app;

    private TlsSurface(X509Certificate2 certificate, WebApplication app) => (_certificate, _app) = (certificate, app);

    public Uri Url => new(_app.Urls.Single());

    public DateTimeOffset ValidUntil => new DateTimeOffset(_certificate.NotAfter).ToUniversalTime();

    /// <summary>The certificate as PEM, for <c>SSL_CERT_FILE</c> of a console's environment.</summary>
    public string Pem => _certificate.ExportCertificatePem();

    public static async Task<TlsSurface> StartAsync(DateTimeOffset from, DateTimeOffset until)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var certificate = request.CreateSelfSigned(from, until);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder
            .WebHost.UseKestrelHttpsConfiguration()
            .ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(certificate)));
        var app = builder.Build();
        app.Run(context => context.Response.WriteAsync("ok"));
        await app.StartAsync();
        return new TlsSurface(certificate, app);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _certificate.Dispose();
    }
}
