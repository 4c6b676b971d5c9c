using System.Collections.Concurrent;
using AutoTicket.FreeScout;
using Microsoft.Extensions.Options;

namespace AutoTicket.Incidents;

/// <summary>Asks FreeScout what people did on the tickets of an incident. Pages that open at the same time share the answer.</summary>
internal sealed class TicketActivityReader(FreeScoutClient freeScout, IOptions<FreeScoutOptions> options, TimeProvider clock)
{
    /// <summary>The newest tickets of an incident that are asked for.</summary>
    public const int MostTickets = 3;

    private const int MostThreads = 200;
    private const int MostKept = 200;

    /// <summary>How long an answer is used again, a failure too.</summary>
    private static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(15);

    /// <summary>An incident's page does not wait longer for FreeScout.</summary>
    private static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(3);

    private readonly ConcurrentDictionary<long, (DateTimeOffset At, Task<FreeScoutAnswer<Conversation?>> Answer)> _kept = new();

    /// <param name="conversations">Newest first.</param>
    public async Task<TicketActivity> ReadAsync(IReadOnlyList<long> conversations)
    {
        var asked = conversations.Take(MostTickets).ToList();
        if (asked.Count > 0 && freeScout.CallsBlockedBy is { } blocked)
        {
            return Missing(blocked.Message);
        }

        var answers = await Task.WhenAll(asked.Select(AskAsync));
        var threads = new Dictionary<long, IReadOnlyList<ConversationThread>>();
        for (var i = 0; i < asked.Count; i++)
        {
            if (answers[i].Value is { } found)
            {
                threads[asked[i]] = [.. found.Threads.TakeLast(MostThreads)];
            }
        }

        return answers.Select(answer => answer.Failure).FirstOrDefault(failure => failure is not null) is { } failure
            ? Missing(failure.Message) with
            {
                Threads = threads,
            }
            : new(threads, options.Value.UserId, null);
    }

    private TicketActivity Missing(string why) =>
        TicketActivity.None with
        {
            ConsoleUser = options.Value.UserId,
            Problem = $"FreeScout could not be asked who was assigned and who replied: {why}",
        };

    private Task<FreeScoutAnswer<Conversation?>> AskAsync(long conversation)
    {
        var now = clock.GetUtcNow();
        if (_kept.Count >= MostKept)
        {
            _kept.Clear();
        }

        return _kept
            .AddOrUpdate(
                conversation,
                id => (now, FindAsync(id)),
                (id, kept) => now - kept.At < KeptFor && now >= kept.At ? kept : (now, FindAsync(id))
            )
            .Answer;
    }

    private async Task<FreeScoutAnswer<Conversation?>> FindAsync(long conversation)
    {
        using var time = new CancellationTokenSource(TimeLimit, clock);
        return await freeScout.FindAsync(conversation, time.Token, withThreads: true);
    }
}
