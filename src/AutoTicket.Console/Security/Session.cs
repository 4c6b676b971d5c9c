using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Security;

/// <summary>One row of <c>sessions</c>: a browser that somebody signed in with. The cookie names it; a row that is gone or expired
/// is a session that is over, on every replica and in every open page.</summary>
public sealed class Session
{
    /// <summary>A hash of what the cookie holds: somebody who reads the table can't make a cookie of it.</summary>
    public required string Id { get; init; }

    /// <summary>Who, as the audit log calls them.</summary>
    public required string Name { get; init; }

    public required string Role { get; init; }

    /// <summary><see cref="SignInOptions.Authority"/> as it was at the sign-in.</summary>
    public required string Authority { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>When the provider was last asked, or is being asked.</summary>
    public required DateTimeOffset CheckedAt { get; init; }

    /// <summary>When the provider last confirmed the user and their role; null: no provider vouches for it.</summary>
    public DateTimeOffset? ConfirmedAt { get; init; }

    /// <summary>A sealed <see cref="ProviderGrant"/>; null: no provider vouches for it.</summary>
    public string? SealedGrant { get; init; }
}

internal sealed class SessionMapping : IEntityTypeConfiguration<Session>
{
    public void Configure(EntityTypeBuilder<Session> builder)
    {
        builder.ToTable("sessions");
        builder.HasIndex(session => session.ExpiresAt);
    }
}

internal static class SecurityDbSets
{
    extension(AutoTicketDbContext db)
    {
        public DbSet<Session> Sessions => db.Set<Session>();
        public DbSet<SignInFailure> SignInFailures => db.Set<SignInFailure>();
    }
}

/// <summary>One row of <c>sign_in_failures</c>: a password that was wrong.</summary>
public sealed class SignInFailure
{
    public long Id { get; init; }

    /// <summary>Where it came from, a whole network of IPv6 as one.</summary>
    public required string Address { get; init; }

    public required DateTimeOffset FailedAt { get; init; }
}

internal sealed class SignInFailureMapping : IEntityTypeConfiguration<SignInFailure>
{
    public void Configure(EntityTypeBuilder<SignInFailure> builder)
    {
        builder.ToTable("sign_in_failures");
        builder.HasIndex(failure => failure.FailedAt);
    }
}
