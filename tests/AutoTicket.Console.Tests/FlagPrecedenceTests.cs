using AutoTicket.Data;
using AutoTicket.Flags;
using AutoTicket.Hosting;
using AutoTicket.Sandbox;
using AutoTicket.Tests.Kit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging.Abstractions;

namespace AutoTicket.Tests;

public sealed class FlagPrecedenceTests
{
    private const string Flag = FlagNames.InvestigateFromStatus;

    /// <summary>Precedence: off in the environment, then the table's row, then on in the environment, then the default.</summary>
    [Theory]
    [InlineData("0", true, true, false, FlagLayer.Environment)]
    [InlineData("off", null, true, false, FlagLayer.Environment)]
    [InlineData("FALSE", true, false, false, FlagLayer.Environment)]
    [InlineData("1", false, true, false, FlagLayer.Store)]
    [InlineData("on", true, false, true, FlagLayer.Store)]
    [InlineData("1", null, false, true, FlagLayer.Environment)]
    [InlineData("True", null, false, true, FlagLayer.Environment)]
    [InlineData(null, true, false, true, FlagLayer.Store)]
    [InlineData(null, false, true, false, FlagLayer.Store)]
    [InlineData(null, null, true, true, FlagLayer.Default)]
    [InlineData("", null, false, false, FlagLayer.Default)]
    public void The_layers_of_a_flag_decide_in_their_order(
        string? environment,
        bool? stored,
        bool defaultOn,
        bool enabled,
        FlagLayer layer
    ) => Assert.Equal((enabled, layer), Environment(environment, defaultOn).Decide(Flag, stored));

    /// <summary>Demo surfaces that are down must not file in a real FreeScout.</summary>
    [Theory]
    [InlineData("FreeScout", true)]
    [InlineData("surfaces", false)]
    public async Task Flags_are_on_by_default_only_while_FreeScout_is_simulated(string simulated, bool on)
    {
        await using var sandbox = await SandboxServer.StartAsync();
        await using var console = await ConsoleHost.StartAsync(
            sandbox: sandbox,
            settings: FlagNames.All.ToDictionary(name => name, _ => (string?)null),
            services: services =>
                services.AddSingleton(sandbox).Replace(ServiceDescriptor.Singleton(new SandboxNotice(sandbox.Url, [simulated])))
        );
        var flags = console.Get<FlagWatch>();
        await Eventually.TrueAsync(() => !flags.Current.IsStale, "the flags are read");

        Assert.All(flags.Current.Flags, flag => Assert.Equal((on, FlagLayer.Default), (flag.Enabled, flag.DecidedBy)));
    }

    [Fact]
    [Trait("Pitfall", "T-61")]
    public async Task A_flag_is_off_until_its_store_has_been_read()
    {
        var contexts = new Unreachable();
        var environment = Environment("1", defaultOn: true);
        var clock = TimeProvider.System;
        using var signals = new PostgresSignals("Host=127.0.0.1;Port=1", clock, NullLogger<DatabaseSignals>.Instance);
        using var store = new FlagWatch(
            new FlagStore(contexts, environment, clock),
            environment,
            signals,
            clock,
            NullLogger<FlagWatch>.Instance
        );

        await store.StartAsync(CancellationToken.None);

        Assert.True(store.Current.IsStale);
        Assert.Null(store.Current.ReadAt);
        Assert.DoesNotContain(store.Current.Flags, flag => flag.Enabled);
        Assert.Empty((await store.GetFeatureDefinitionAsync(Flag)).EnabledFor);
        await store.StopAsync(CancellationToken.None);
    }

    private static FlagEnvironment Environment(string? environment, bool defaultOn) =>
        FlagEnvironment.Read(
            new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { [Flag] = environment }).Build(),
            defaultOn
        );

    /// <summary>A database on a port where nothing listens.</summary>
    private sealed class Unreachable : IDbContextFactory<AutoTicketDbContext>
    {
        public AutoTicketDbContext CreateDbContext() =>
            new PostgresDbContext(
                new DbContextOptionsBuilder<PostgresDbContext>()
                    .UseNpgsql("Host=127.0.0.1;Port=1;Timeout=1")
                    .UseSnakeCaseNamingConvention()
                    .Options
            );
    }
}
