namespace AutoTicket.Sandbox;

/// <summary>Options that differ between FreeScout installations. The defaults match a current one with both modules.</summary>
public sealed class FreeScoutBehavior
{
    /// <summary>The response to a create contains the conversation; the documentation shows only headers.</summary>
    public bool CreateAnswersWithBody { get; set; } = true;

    /// <summary><c>APP_CUSTOM_NUMBER=true</c>: the visible number differs from the id.</summary>
    public bool CustomNumbers { get; set; }

    /// <summary>The paid Tags module is installed.</summary>
    public bool TagsModule { get; set; } = true;

    /// <summary><c>GET /api/mailboxes/{id}</c> exists, as runbooks assume; the documentation has no such route.</summary>
    public bool MailboxById { get; set; }

    /// <summary>Upper bound of <c>pageSize</c>; null for none.</summary>
    public int? MaxPageSize { get; set; }

    /// <summary>Lists can be filtered by mailbox, state and tag; older modules ignore these filters.</summary>
    public bool KnowsFilters { get; set; } = true;

    /// <summary>Lists omit conversations younger than this, like a lagging replica. FreeScout's times are whole seconds.</summary>
    public TimeSpan ListLag { get; set; }
}
