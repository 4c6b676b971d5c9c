using AutoTicket.Data;
using AutoTicket.FreeScout;
using AutoTicket.Security;
using AutoTicket.Slack;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AutoTicket.Diagnostics;

/// <summary><c>/healthz/live</c> and <c>/healthz/ready</c>. Only a missing database, an old schema or the end of the process make it
/// unhealthy; a failure of FreeScout or Slack is degraded, because the process can still serve requests.</summary>
internal static class ConsoleHealth
{
    public static void AddConsoleHealth(this IServiceCollection services) =>
        services
            .AddHealthChecks()
            .AddCheck<Readiness>("ending")
            .Add(Check("database", (DatabaseGate gate) => gate.Problem is null, HealthStatus.Unhealthy))
            .Add(Check("migrations", (DatabaseGate gate) => gate.IsOpen, HealthStatus.Unhealthy))
            .Add(Check("hooks", (RequiredHooks hooks) => hooks.Missing.Count == 0))
            .Add(Check<FreeScoutHealth>("freescout", IsUp))
            .Add(
                Check("slack", (IServiceProvider all) => IsUp(all.GetRequiredService<SlackHealth>(), all.GetRequiredService<LeaderLease>()))
            )
            .AddCheck<LeaderCheck>("leader");

    public static void MapConsoleHealth(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapHealthChecks("/healthz/live", new HealthCheckOptions { Predicate = _ => false }).OnlyRead().AllowAnonymous();
        endpoints.MapHealthChecks("/healthz/ready").OnlyRead().AllowAnonymous();
    }

    /// <summary>What is not configured can't fail.</summary>
    public static bool IsUp(FreeScoutHealth freeScout) => freeScout.Failure is null or { Kind: FreeScoutFailureKind.NotConfigured };

    /// <summary>Only the leader sends: what another process last heard of Slack is old.</summary>
    public static bool IsUp(SlackHealth slack, LeaderLease leader) =>
        !leader.WasLeader || slack.Failure is null or { Kind: SlackFailureKind.NotConfigured };

    private static HealthCheckRegistration Check<TService>(
        string name,
        Func<TService, bool> isWell,
        HealthStatus otherwise = HealthStatus.Degraded
    )
        where TService : notnull =>
        new(
            name,
            provider => new Answer(isWell(provider.GetRequiredService<TService>()) ? HealthStatus.Healthy : otherwise),
            otherwise,
            tags: null
        );

    private sealed class Answer(HealthStatus status) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken) =>
            Task.FromResult(new HealthCheckResult(status));
    }

    /// <summary>Healthy while any process leads.</summary>
    private sealed class LeaderCheck(
        LeaderLease leader,
        DatabaseGate gate,
        IDbContextFactory<AutoTicketDbContext> contexts,
        TimeProvider clock
    ) : IHealthCheck
    {
        private static readonly TimeSpan QueryTimeout = TimeSpan.FromSeconds(1);

        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken)
        {
            if (leader.IsLeader)
            {
                return HealthCheckResult.Healthy();
            }

            try
            {
                return
                    gate.Problem is null
                    && await Task.Run(() => IsLedAsync(cancellationToken), cancellationToken)
                        .WaitAsync(QueryTimeout, clock, cancellationToken)
                    ? HealthCheckResult.Healthy()
                    : HealthCheckResult.Degraded();
            }
            catch (Exception exception) when (exception is TimeoutException || Outages.IsOutage(exception))
            {
                return HealthCheckResult.Degraded();
            }
        }

        private async Task<bool> IsLedAsync(CancellationToken cancellationToken)
        {
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            return await db.Leases.AnyAsync(LeaderLease.HeldAt(clock.GetUtcNow()), cancellationToken);
        }
    }
}
