namespace AutoTicket.Sandbox;

/// <summary>All that a restart must find again.</summary>
internal sealed record FreeScoutState
{
    public long LastConversationId { get; set; } = 1000;
    public long LastThreadId { get; set; } = 5000;
    public long LastWebhookId { get; set; }
    public SortedDictionary<long, SandboxConversation> Conversations { get; init; } = [];
    public List<SandboxCustomer> Customers { get; init; } = [];

    /// <summary>A tag's place is its id less one; tags are created by being named and never go away.</summary>
    public List<string> Tags { get; init; } = [];

    public List<SandboxWebhook> Webhooks { get; init; } = [];
}
