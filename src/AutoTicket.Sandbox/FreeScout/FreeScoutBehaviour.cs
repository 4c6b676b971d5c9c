namespace AutoTicket.Sandbox;

/// <summary>How FreeScout installations differ. The defaults are those of a current one with both modules.</summary>
public sealed class FreeScoutBehaviour
{
    /// <summary>Whether a create's answer carries the conversation; the documentation prints headers only.</summary>
    public bool CreateAnswersWithBody { get; set; } = true;

    /// <summary><c>APP_CUSTOM_NUMBER=true</c>: the number people read is not the id.</summary>
    public bool CustomNumbers { get; set; }

    /// <summary>Whether the paid Tags module is there.</summary>
    public bool TagsModule { get; set; } = true;

    /// <summary>Whether <c>GET /api/mailboxes/{id}</c> exists, as operators' runbooks believe; the documentation has no such route.</summary>
    public bool MailboxById { get; set; }

    /// <summary>The most rows of a page whatever <c>pageSize</c> asks for; older modules ignore it altogether.</summary>
    public int? MaxPageSize { get; set; }

    /// <summary>Whether lists can be filtered by mailbox, state and tag; older modules drop a filter that they do not know.</summary>
    public bool KnowsFilters { get; set; } = true;

    /// <summary>Lists leave out what was created this recently, as a replica that lags does. FreeScout's times are whole seconds.</summary>
    public TimeSpan ListLag { get; set; }
}
