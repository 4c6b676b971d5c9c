using System.Net;
using System.Net.Sockets;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Security;

/// <summary>Too many wrong passwords close the sign-in for an address, or for all. Sessions go on. They are counted in the database, so
/// that a restart or another replica gives no further tries.</summary>
internal sealed class Lockout(IDbContextFactory<AutoTicketDbContext> contexts, TimeProvider clock)
{
    public const int PerAddress = 5;
    public const int InAll = 50;
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(15);

    public static readonly TimeSpan LongestTurn = TimeSpan.FromSeconds(10);

    /// <summary>Held from the question whether a password may be tried until it is counted.</summary>
    public SemaphoreSlim Turn { get; } = new(1);

    /// <returns>How long the address must wait; null: it may try.</returns>
    public async Task<TimeSpan?> WaitOfAsync(string address, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var since = now - Window;
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var recent = db.SignInFailures.Where(failure => failure.FailedAt > since).OrderByDescending(failure => failure.FailedAt);
        // Closed until the failure that reached the limit is a window old.
        var here = await recent
            .Where(failure => failure.Address == address)
            .Skip(PerAddress - 1)
            .Select(failure => (DateTimeOffset?)failure.FailedAt)
            .FirstOrDefaultAsync(cancellationToken);
        var anywhere = await recent
            .Skip(InAll - 1)
            .Select(failure => (DateTimeOffset?)failure.FailedAt)
            .FirstOrDefaultAsync(cancellationToken);
        var last = here > anywhere || anywhere is null ? here : anywhere;
        return last + Window - now;
    }

    public async Task FailedAsync(string address, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        await db.SignInFailures.Where(failure => failure.FailedAt <= now - Window).ExecuteDeleteAsync(cancellationToken);
        db.SignInFailures.Add(new SignInFailure { Address = address, FailedAt = now });
        await db.SaveChangesAsync(cancellationToken);
    }

    public async Task SucceededAsync(string address, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        await db.SignInFailures.Where(failure => failure.Address == address).ExecuteDeleteAsync(cancellationToken);
    }

    /// <returns>The address to count for; for IPv6 its /64 network, all of which one client may use.</returns>
    public static string AddressOf(IPAddress? address)
    {
        if (address is not { AddressFamily: AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: false })
        {
            return (address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address)?.ToString() ?? "unknown";
        }

        var bytes = address.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return $"{new IPAddress(bytes)}/64";
    }
}
