using System.Net;
using System.Runtime.CompilerServices;
using AutoTicket.Sandbox;
using Microsoft.Extensions.Configuration.Json;
using Microsoft.Extensions.Configuration.Memory;

namespace AutoTicket.Hosting;

/// <summary>Starts and wires the sandbox, in Development only.</summary>
internal static class SandboxSetup
{
    /// <summary>Starts the sandbox in place of FreeScout, Slack and surfaces that are not configured.</summary>
    public static void AddSandbox(this WebApplicationBuilder builder)
    {
        Settings.RefuseUnknown(builder.Configuration.GetSection("Sandbox"), "Enabled", "Address", "Port", "StatePath");
        // A published console has no sandbox, unless PublishSandbox is true.
        var isThere = Type.GetType("AutoTicket.Sandbox.SandboxServer, AutoTicket.Sandbox") is not null;
        if (!Settings.Read(builder.Configuration, "Sandbox:Enabled", builder.Environment.IsDevelopment() && isThere))
        {
            builder.Services.AddSingleton(new SandboxNotice(null, []));
            return;
        }

        if (!builder.Environment.IsDevelopment())
        {
            throw new ConfigurationException("Sandbox__Enabled is on, but the sandbox runs in Development only: remove the variable.");
        }

        if (!isThere)
        {
            throw new ConfigurationException(
                "Sandbox__Enabled is on, but this console was published without its sandbox: publish it with -p:PublishSandbox=true."
            );
        }

        StartSandbox(builder);
    }

    private static IPAddress Address(string? text) =>
        text is not { Length: > 0 } ? IPAddress.Loopback
        // The console calls the sandbox at 127.0.0.1.
        : IPAddress.TryParse(text, out var address)
        && (address.Equals(IPAddress.Loopback) || address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
            ? address
        : throw new ConfigurationException($"Sandbox__Address must be 127.0.0.1, 0.0.0.0 or ::, but is “{text}”.");

    // If the JIT inlined it, a console without the sandbox's assembly could not start.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StartSandbox(WebApplicationBuilder builder)
    {
        var configuration = builder.Configuration;
        var sandbox = SandboxServer
            .StartAsync(
                new SandboxSettings
                {
                    Port = Settings.Read<ushort>(configuration, "Sandbox:Port", 5081),
                    Address = Address(configuration["Sandbox:Address"]),
                    StatePath = configuration["Sandbox:StatePath"] is { } path
                        ? path.Length > 0
                            ? path
                            : null
                        : "autoticket.sandbox.json",
                }
            )
            .GetAwaiter()
            .GetResult();
        builder.Services.AddSingleton(_ => sandbox);
        var freeScout = string.IsNullOrEmpty(configuration["FREESCOUT_BASE_URL"]);
        var slack = string.IsNullOrEmpty(configuration["SLACK_BOT_TOKEN"]);
        var surfaces = !configuration.GetSection("Surfaces").GetChildren().Any();
        builder.Services.AddSingleton(
            new SandboxNotice(
                sandbox.Url,
                [
                    .. new[]
                    {
                        surfaces ? "surfaces" : null,
                        freeScout ? SandboxNotice.FreeScout : null,
                        slack ? "Slack" : null,
                    }.OfType<string>(),
                ]
            )
        );
        // Before the environment variables, so that they win.
        var before = configuration.Sources.ToList().FindLastIndex(source => source is JsonConfigurationSource) + 1;
        configuration.Sources.Insert(
            before,
            new MemoryConfigurationSource { InitialData = sandbox.ConsoleSettings(freeScout, slack, surfaces) }
        );
    }

    /// <summary>Makes the sandbox's FreeScout call this console's webhook, once the console listens.</summary>
    /// <param name="webhookPath">The path of the webhook.</param>
    public static void WireSandbox(this WebApplication app, string webhookPath)
    {
        if (app.Services.GetRequiredService<SandboxNotice>().StandsInForFreeScout)
        {
            app.Lifetime.ApplicationStarted.Register(() =>
                app
                    .Services.GetRequiredService<SandboxServer>()
                    .FreeScout.AnnounceTo(new Uri(app.Services.GetRequiredService<ConsoleAddress>().Local + webhookPath))
            );
        }
    }
}

/// <summary>What the banner says about the sandbox.</summary>
/// <param name="Url">The address of its own pages; null: it is off.</param>
/// <param name="StandIns">What it stands in for. Everything else is real.</param>
internal sealed record SandboxNotice(Uri? Url, IReadOnlyList<string> StandIns)
{
    public const string FreeScout = "FreeScout";

    public bool StandsInForFreeScout => StandIns.Contains(FreeScout);
}
