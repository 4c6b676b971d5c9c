using System.Runtime.CompilerServices;
using AutoTicket.Sandbox;
using Microsoft.Extensions.Configuration.Json;
using Microsoft.Extensions.Configuration.Memory;

namespace AutoTicket.Hosting;

/// <summary>The wiring of the sandbox, which is on in Development only.</summary>
internal static class SandboxSetup
{
    /// <summary>The sandbox stands in for what is not configured; what the user configured stays.</summary>
    public static void AddSandbox(this WebApplicationBuilder builder)
    {
        Settings.RefuseUnknown(builder.Configuration.GetSection("Sandbox"), "Enabled", "Port", "StatePath");
        // A published console has none, unless that was asked for.
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

    // Inlined, it would need the sandbox's assembly even where that is not used.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StartSandbox(WebApplicationBuilder builder)
    {
        var configuration = builder.Configuration;
        var sandbox = SandboxServer
            .StartAsync(
                new SandboxSettings
                {
                    Port = Settings.Read<ushort>(configuration, "Sandbox:Port", 5081),
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
        // Before the environment, so that whatever is set there wins.
        var before = configuration.Sources.ToList().FindLastIndex(source => source is JsonConfigurationSource) + 1;
        configuration.Sources.Insert(
            before,
            new MemoryConfigurationSource { InitialData = sandbox.ConsoleSettings(freeScout, slack, surfaces) }
        );
    }

    /// <summary>The sandbox's FreeScout tells this console of every change, as a real one does once it is told where.</summary>
    /// <param name="webhookPath">Where the console takes FreeScout's events.</param>
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

/// <summary>What the banner says of the sandbox.</summary>
/// <param name="Url">Where its own pages are; null: it is off.</param>
/// <param name="StandIns">What it stands in for; the rest is what the configuration names.</param>
internal sealed record SandboxNotice(Uri? Url, IReadOnlyList<string> StandIns)
{
    public const string FreeScout = "FreeScout";

    public bool StandsInForFreeScout => StandIns.Contains(FreeScout);
}
