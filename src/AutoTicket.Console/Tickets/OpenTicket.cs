namespace AutoTicket.Tickets;

/// <summary>A FreeScout conversation, as a link to it needs it.</summary>
/// <param name="Id">The conversation's id, which every API path takes.</param>
/// <param name="Number">What people call it: equals the id unless FreeScout numbers by itself; null: not known yet.</param>
/// <param name="OpenedAt">When it was filed.</param>
public sealed record TicketLink(long Id, long? Number, string Url, DateTimeOffset OpenedAt);

/// <summary>An open ticket of the operations mailbox, as last seen in FreeScout.</summary>
/// <param name="Status"><c>active</c> or <c>pending</c>.</param>
/// <param name="Surface">Key of the surface it is about; null when it says none.</param>
/// <param name="FiledBy">Who filed it: an operator's name, or <c>FreeScout</c> for one not filed by this console.</param>
public sealed record OpenTicket(
    long Id,
    long? Number,
    string Url,
    string Subject,
    string Status,
    IReadOnlyList<string> Tags,
    string? Surface,
    DateTimeOffset OpenedAt,
    string FiledBy);

/// <summary>The copy of FreeScout's open tickets that the console shows.</summary>
/// <param name="SyncedAt">When FreeScout last confirmed it; null: never.</param>
/// <param name="IsStale">The last try to refresh it failed, or none succeeded for two intervals.</param>
/// <param name="Problem">Why it is stale, in one sentence for the operator; null when it is not.</param>
public sealed record OpenTicketsCopy(IReadOnlyList<OpenTicket> Tickets, DateTimeOffset? SyncedAt, bool IsStale, string? Problem);
