namespace AutoTicket.Sandbox;

/// <summary>The state that survives a restart.</summary>
internal sealed record FreeScoutState
{
    public long LastConversationId { get; set; } = 1000;
    public long LastThreadId { get; set; } = 5000;
    public long LastWebhookId { get; set; }
    public SortedDictionary<long, SandboxConversation> Conversations { get; init; } = [];
    public List<SandboxCustomer> Customers { get; init; } = [];

    /// <summary>A tag's index is its id minus one; tags are created on first use and never deleted.</summary>
    public List<string> Tags { get; init; } = [];

    public List<SandboxWebhook> Webhooks { get; init; } = [];
}
