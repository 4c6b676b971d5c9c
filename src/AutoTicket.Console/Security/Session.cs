using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace AutoTicket.Security;

/// <summary>A signed-in browser: a row of <c>sessions</c>. The cookie names it. Without the row, or when it has expired, the session is
/// over on every replica and in every open page.</summary>
public sealed class Session
{
    /// <summary>A hash of the cookie's secret, so that a reader of the table can't forge a cookie.</summary>
    public required string Id { get; init; }

    /// <summary>The user, as the audit log's actor.</summary>
    public required string Name { get; init; }

    public required string Role { get; init; }

    /// <summary><see cref="SignInOptions.Authority"/> at the sign-in.</summary>
    public required string Authority { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>When the last check with the provider began; while one is in progress, when it is given up.</summary>
    public required DateTimeOffset CheckedAt { get; init; }

    /// <summary>When the provider last confirmed the user and their role; null: a session by password.</summary>
    public DateTimeOffset? ConfirmedAt { get; init; }

    /// <summary>A sealed <see cref="ProviderGrant"/>; null: a session by password.</summary>
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

/// <summary>A wrong password: a row of <c>sign_in_failures</c>.</summary>
public sealed class SignInFailure
{
    public long Id { get; init; }

    /// <summary>The client's address; for IPv6 its /64 network.</summary>
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
