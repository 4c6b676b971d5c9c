using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Sandbox;

/// <summary>A simulated FreeScout, Slack and surfaces on a loopback port, with faults to switch on.</summary>
/// <remarks>For development and tests; it contains no secrets.</remarks>
public sealed class SandboxServer : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly RequestLog _log = new();
    private readonly WebApplication _host;
    private readonly DemoSurfaces _surfaces;

    private SandboxServer(SandboxSettings settings, WebApplication host, DeferredRouter deferred)
    {
        _host = host;
        var listening = new Uri(ServerOf(host).Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Single());
        Url = new Uri($"http://127.0.0.1:{listening.Port}/");
        FreeScout = new FreeScoutStandIn(settings, _log, new Uri(Url, FreeScoutStandIn.BasePath));
        Slack = new SlackStandIn(settings, _log, new Uri(Url, SlackStandIn.ApiPath + "/"));
        _surfaces = new DemoSurfaces(Url);
        deferred.Open(new SandboxRouter(new SandboxParts(settings.Clock, _log, Faults, FreeScout, Slack, _surfaces, _stopping.Token)));
    }

    /// <summary><c>http://127.0.0.1:port/</c>, which serves an index.</summary>
    public Uri Url { get; }

    public FreeScoutStandIn FreeScout { get; }

    public SlackStandIn Slack { get; }

    public FaultSwitches Faults { get; } = new();

    /// <summary>All requests to FreeScout, Slack and surfaces, oldest first.</summary>
    public IReadOnlyList<RecordedRequest> RecordedRequests => _log.All;

    /// <summary>Starts the sandbox; if the port is taken, on a free one.</summary>
    public static async Task<SandboxServer> StartAsync(SandboxSettings? settings = null, CancellationToken ct = default)
    {
        settings ??= new SandboxSettings();
        var deferred = new DeferredRouter();
        try
        {
            return new SandboxServer(settings, await ListenAsync(settings.Address, settings.Port, deferred, ct), deferred);
        }
        catch (IOException e) when (e.InnerException is AddressInUseException && settings.Port != 0)
        {
            return new SandboxServer(settings, await ListenAsync(settings.Address, 0, deferred, ct), deferred);
        }
    }

    /// <summary>A surface for a test at <c>surfaces/custom/{name}</c>, created on first use.</summary>
    public SandboxSurface Surface(string name) => _surfaces.Custom(name);

    /// <summary>The settings that connect a console to the selected parts.</summary>
    public IReadOnlyDictionary<string, string?> ConsoleSettings(bool freeScout = true, bool slack = true, bool surfaces = false)
    {
        var settings = new Dictionary<string, string?>();
        if (freeScout)
        {
            settings["FREESCOUT_BASE_URL"] = FreeScout.BaseUrl.AbsoluteUri;
            settings["FREESCOUT_API_KEY"] = FreeScout.ApiKey;
            settings["FREESCOUT_OPERATIONS_MAILBOX_ID"] = FreeScout.MailboxId.ToString(CultureInfo.InvariantCulture);
            settings["FREESCOUT_USER_ID"] = FreeScout.UserId.ToString(CultureInfo.InvariantCulture);
            settings["FREESCOUT_WEBHOOK_SECRET"] = FreeScout.WebhookSecret;
        }

        if (slack)
        {
            settings["SLACK_BASE_URL"] = Slack.BaseUrl.AbsoluteUri;
            settings["SLACK_BOT_TOKEN"] = Slack.BotToken;
            settings["SLACK_OPERATOR_USER_ID"] = Slack.OperatorUserId;
        }

        if (surfaces)
        {
            settings["Status:PollInterval"] = "00:00:05";
            foreach (var (key, value) in _surfaces.Settings())
            {
                settings[key] = value;
            }
        }

        return settings;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        Faults.Clear();

        // Already canceled, so that open connections are closed at once.
        await ServerOf(_host).StopAsync(new CancellationToken(canceled: true));
        await _host.DisposeAsync();
        await FreeScout.DisposeAsync();
        _stopping.Dispose();
    }

    // The host is never started: it would handle the signals of the console's process. It only owns the server and its metrics.
    private static async Task<WebApplication> ListenAsync(IPAddress address, int port, DeferredRouter deferred, CancellationToken ct)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder
            .WebHost.UseKestrelCore()
            .ConfigureKestrel(kestrel =>
            {
                kestrel.AddServerHeader = false;
                kestrel.Listen(address, port, listen => listen.Protocols = HttpProtocols.Http1);
            });
        var host = builder.Build();
        try
        {
            await ServerOf(host).StartAsync(deferred, ct);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    private static IServer ServerOf(WebApplication host) => host.Services.GetRequiredService<IServer>();
}
