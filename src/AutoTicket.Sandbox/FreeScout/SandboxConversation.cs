namespace AutoTicket.Sandbox;

/// <summary>A snapshot of a conversation in FreeScout.</summary>
public sealed record SandboxConversation
{
    public required long Id { get; init; }

    /// <summary>The visible number; equal to <see cref="Id"/> unless numbering is custom.</summary>
    public required long Number { get; init; }

    public required string Type { get; init; }
    public required int MailboxId { get; init; }
    public required string Subject { get; init; }

    /// <summary>active, pending, closed or spam.</summary>
    public required string Status { get; init; }

    /// <summary>draft, published or deleted.</summary>
    public string State { get; init; } = "published";

    public required long CustomerId { get; init; }
    public bool Imported { get; init; }
    public int? AssignedTo { get; init; }
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Newest first, as in the API.</summary>
    public IReadOnlyList<SandboxThread> Threads { get; init; } = [];

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Not changed by tags, as in FreeScout.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    public DateTimeOffset? ClosedAt { get; init; }
    public int? ClosedBy { get; init; }

    /// <summary>Number of threads by customers and agents, without notes and line items.</summary>
    public int ThreadsCount => Threads.Count(thread => thread.Type is "customer" or "message");

    /// <summary>The newest thread by a customer or agent. A note is no reply.</summary>
    public SandboxThread? LastReply => Threads.FirstOrDefault(thread => thread.Type is "customer" or "message");

    public bool IsOpen => State == "published" && Status is ("active" or "pending");
}

/// <summary>One entry of a conversation: customer, message, note or lineitem.</summary>
public sealed record SandboxThread
{
    public required long Id { get; init; }
    public required string Type { get; init; }

    /// <summary>Raw HTML, exactly as sent.</summary>
    public required string Body { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
    public int? UserId { get; init; }
    public long? CustomerId { get; init; }

    /// <summary>The action of a line item, such as <c>changed-ticket-status</c> or <c>merged</c>.</summary>
    public string? Action { get; init; }

    /// <summary>The assignee after a line item.</summary>
    public int? AssignedTo { get; init; }

    /// <summary>The conversation's status after a line item.</summary>
    public string? Status { get; init; }
}

public sealed record SandboxCustomer(long Id, string FirstName, string LastName, string? Email, string? Phone, DateTimeOffset CreatedAt);

public sealed record SandboxMailbox(int Id, string Name, string Email);

public sealed record SandboxUser(int Id, string FirstName, string LastName, string Email, string Role);

public sealed record SandboxWebhook(long Id, Uri Url, IReadOnlyList<string> Events, IReadOnlyList<int> Mailboxes)
{
    public DateTimeOffset? LastRunTime { get; init; }
    public string? LastRunError { get; init; }
}

/// <summary>A mail that FreeScout would have sent. Imported threads send none.</summary>
public sealed record SandboxMail(long ConversationId, string To, string Reason);
