namespace AutoTicket.Sandbox;

/// <summary>A minimal FreeScout web page: view, assign, answer, resolve, reopen and delete a ticket.</summary>
internal sealed class FreeScoutPages(FreeScoutStandIn freeScout)
{
    private const string Head = $"<!DOCTYPE html><link rel=\"stylesheet\" href=\"{SandboxLayout.StylePath}\">";

    public Answer List()
    {
        var rows = freeScout.Conversations.Where(row => row.MailboxId == freeScout.MailboxId).OrderByDescending(row => row.Id).ToArray();
        var list =
            rows.Length == 0
                ? Html.Of($"<p>No conversation yet. Investigate a failing surface in the console, or wait for a P1 or P2 alert.</p>")
                : Html.Of($"""<ul class="rows">{rows.Select(Row)}</ul>""");
        return SandboxLayout.Page("Sandbox FreeScout", Html.Of($"<h1>Sandbox FreeScout: Operations</h1>{list}"));
    }

    public Answer Show(long id)
    {
        if (freeScout.Find(id) is not { } conversation)
        {
            return SandboxLayout.Page(
                "Sandbox FreeScout",
                Html.Of($"""<h1>No such conversation</h1><p><a href="/freescout/">Back to Operations</a></p>"""),
                404
            );
        }

        var path = $"{FreeScoutStandIn.BasePath}/conversation/{id}";
        var buttons = conversation.IsOpen
            ? Html.Of(
                $"""
                {SandboxLayout.Button(path + "/resolve", "Resolve")}{SandboxLayout.Button(path + "/reply", "Reply as Olga")}
                {SandboxLayout.Button(path + "/delete", "Delete", "danger")}
                """
            )
            : SandboxLayout.Button(path + "/reopen", "Reopen");
        Html Assign(SandboxUser user) => SandboxLayout.Button($"{path}/assign-{user.Id}", user.FirstName);
        Html Unassign() => SandboxLayout.Button($"{path}/assign-0", "Nobody");
        return SandboxLayout.Page(
            $"{conversation.Subject} - Sandbox FreeScout",
            Html.Of(
                $"""
                <p class="quiet"><a href="/freescout/">Sandbox FreeScout: Operations</a></p>
                <h1>{conversation.Subject}</h1>
                <p>{Chips(conversation)}</p>
                <p class="quiet">No. {conversation.Number}, opened {conversation.CreatedAt}, assigned to {AssigneeOf(conversation)}</p>
                {buttons}
                {(conversation.IsOpen ? Html.Of($"<h2>Assign</h2>{FreeScoutSeed.Users.Select(Assign)}{Unassign()}") : Html.Of($""))}
                <h2>Threads</h2>
                {conversation.Threads.Select(Thread)}
                """
            )
        );
    }

    public Answer Act(long id, string verb)
    {
        var done = verb switch
        {
            "resolve" => freeScout.Close(id),
            "reopen" => freeScout.Reopen(id),
            "delete" => freeScout.Delete(id),
            "reply" => freeScout.Answer(id, FreeScoutSeed.Operator, "<p>We are looking into it.</p>"),
            _ when verb.Split('-') is ["assign", var agent] && int.TryParse(agent, out var number) => freeScout.Assign(
                id,
                FreeScoutSeed.FindUser(number)?.Id
            ),
            _ => false,
        };
        return done ? Answer.Redirect(303, $"{FreeScoutStandIn.BasePath}/conversation/{id}") : Show(0);
    }

    private static string AssigneeOf(SandboxConversation row) =>
        row.AssignedTo is { } agent && FreeScoutSeed.FindUser(agent) is { } user ? $"{user.FirstName} {user.LastName}" : "nobody";

    private static Html Row(SandboxConversation row) =>
        Html.Of(
            $"""
            <li><a href="/freescout/conversation/{row.Id}">{row.Subject}</a><br>{Chips(row)}
            <span class="quiet">{AssigneeOf(row)}, {row.CreatedAt}</span></li>
            """
        );

    private static Html Chips(SandboxConversation row) =>
        Html.Of($"{row.Tags.Prepend(row.State == "deleted" ? "deleted" : row.Status).Select(Chip)}");

    private static Html Chip(string text) => Html.Of($"""<span class="chip">{text}</span>""");

    // A thread is untrusted HTML, so it is shown in a sandboxed frame: no script, no form, no origin of ours,
    // and it inherits the page's content security policy.
    private static Html Thread(SandboxThread thread) =>
        thread.Action is { } action
            ? Html.Of($"""<p class="quiet">{thread.CreatedAt}: {action}</p>""")
            : Html.Of(
                $"""
                <p class="quiet">{thread.CreatedAt}: {thread.Type}</p>
                <iframe sandbox title="{thread.Type} thread" style="height: {HeightOf(
                    thread.Body
                )}rem" srcdoc="{Head}{thread.Body}"></iframe>
                """
            );

    // A frame without a script can't have the height of its text, so it is estimated from the text's lines.
    private static int HeightOf(string body)
    {
        var breaks = body.Split('<')
            .Count(tag => tag.Split('>')[0].TrimEnd(' ', '/') is "br" or "p" or "li" or "tr" or "h1" or "h2" or "h3" or "pre");
        return Math.Clamp(5 + (2 * breaks) + (body.Length / 60), 8, 40);
    }
}
