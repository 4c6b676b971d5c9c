namespace AutoTicket.Sandbox;

/// <summary>The changes to a conversation that the API, the web page and tests share.</summary>
internal sealed class FreeScoutActions(FreeScoutStore store, Action<SandboxMail> mail)
{
    /// <summary>The assignee's id that stands for nobody.</summary>
    public const int Nobody = -1;

    public SandboxConversation Create(NewConversation draft)
    {
        var conversation = store.Create(draft);
        if (!draft.Imported)
        {
            mail(new SandboxMail(conversation.Id, "agents", "new conversation"));
            mail(new SandboxMail(conversation.Id, "customer", draft.Threads[^1].Type == "message" ? "message" : "auto reply"));
        }

        return conversation;
    }

    /// <summary>The new thread; null if the conversation does not exist.</summary>
    public SandboxThread? AddThread(long id, NewThread thread)
    {
        if (store.Find(id) is not { } before)
        {
            return null;
        }

        SandboxThread? row = null;
        var revived = thread.Type == "customer";
        store.Change(
            id,
            EventOf(before, thread),
            conversation =>
            {
                row = store.ToRow(thread, conversation.CustomerId, store.Now);
                return conversation with
                {
                    Threads = [row, .. conversation.Threads],
                    State = revived ? "published" : conversation.State,
                    Status =
                        thread.Status
                        ?? thread.Type switch
                        {
                            "customer" => "active",
                            "message" => "pending",
                            _ => conversation.Status,
                        },
                };
            }
        );
        if (!thread.Imported && thread.Type != "note")
        {
            mail(new SandboxMail(id, revived ? "agents" : "customer", "reply"));
        }

        return row;
    }

    public bool SetStatus(long id, string status, int? user) =>
        null
        != store.Change(
            id,
            "convo.status",
            conversation =>
                conversation.Status == status
                    ? conversation
                    : conversation with
                    {
                        Status = status,
                        ClosedAt = status == "closed" ? store.Now : null,
                        ClosedBy = status == "closed" ? user : null,
                        Threads = [store.LineItem("changed-ticket-status", user, conversation.AssignedTo, status), .. conversation.Threads],
                    }
        );

    /// <summary>Like “delete” on the web page: moves it to the deleted folder, from which it can be restored.</summary>
    public bool Delete(long id) =>
        null
        != store.Change(
            id,
            "convo.deleted",
            conversation => conversation.State == "deleted" ? conversation : conversation with { State = "deleted" }
        );

    public bool Restore(long id) =>
        null
        != store.Change(
            id,
            "convo.restored",
            conversation => conversation.State == "published" ? conversation : conversation with { State = "published" }
        );

    public bool Move(long id, int mailbox, int? user) =>
        null
        != store.Change(
            id,
            "convo.moved",
            conversation =>
                conversation.MailboxId == mailbox
                    ? conversation
                    : conversation with
                    {
                        MailboxId = mailbox,
                        Threads =
                        [
                            store.LineItem("moved-from-mailbox", user, conversation.AssignedTo, conversation.Status),
                            .. conversation.Threads,
                        ],
                    }
        );

    public bool Assign(long id, int? wanted, int? user)
    {
        var assignee = wanted == Nobody ? null : wanted;
        return null
            != store.Change(
                id,
                "convo.assigned",
                conversation =>
                    conversation.AssignedTo == assignee
                        ? conversation
                        : conversation with
                        {
                            AssignedTo = assignee,
                            Threads =
                            [
                                store.LineItem("changed-ticket-assignee", user, assignee, conversation.Status),
                                .. conversation.Threads,
                            ],
                        }
            );
    }

    public bool Rename(long id, string subject) =>
        null
        != store.Change(id, null, conversation => conversation.Subject == subject ? conversation : conversation with { Subject = subject });

    /// <summary>Moves the threads and deletes the old conversation, with a line item that names the new one.</summary>
    public bool Merge(long id, long into)
    {
        if (id == into || store.Find(id) is not { } from || store.Find(into) is null)
        {
            return false;
        }

        store.Change(
            into,
            null,
            target => target with { Threads = [.. from.Threads.Concat(target.Threads).OrderByDescending(thread => thread.Id)] }
        );
        store.Change(
            id,
            "convo.deleted",
            merged => merged with { State = "deleted", Threads = [store.LineItem("merged", null, merged.AssignedTo, merged.Status)] }
        );
        return true;
    }

    // Without a thread by a customer or agent, the core treats the next one as the first and sends “created” again.
    private static string EventOf(SandboxConversation before, NewThread thread) =>
        (before.ThreadsCount, thread.Type) switch
        {
            (0, _) => "convo.created",
            (_, "customer") => "convo.customer.reply.created",
            (_, "message") => "convo.agent.reply.created",
            _ => "convo.note.created",
        };
}
