using System.Collections.Concurrent;
using AutoTicket.Flags;

namespace AutoTicket.Diagnostics;

/// <summary>Whether what was decided about the flags is in force everywhere, and since when it is not. A change may be old and a process
/// that does not know of it new, so what counts is when they were first seen to differ.</summary>
internal sealed class FlagAgreement(FlagStore flags, TimeProvider clock)
{
    /// <summary>Processes say what they have in force every ten seconds; who is silent for longer has ended.</summary>
    private static readonly TimeSpan Alive = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<string, DateTimeOffset> _since = new();

    /// <returns>Flags that a live process has otherwise than this one; null: the flags can't be read.</returns>
    public IReadOnlyList<(DateTimeOffset Since, string Evidence)>? Late()
    {
        var (current, now) = (flags.Current, clock.GetUtcNow());
        if (current.IsStale)
        {
            return null;
        }

        var late = new List<(DateTimeOffset, string)>();
        foreach (var flag in current.Flags)
        {
            var others = flag.Acks.Where(ack => ack.Enabled != flag.Enabled && now - ack.At < Alive).Select(ack => ack.Instance).ToList();
            if (others.Count == 0)
            {
                _since.TryRemove(flag.Name, out _);
                continue;
            }

            late.Add(
                (
                    _since.GetOrAdd(flag.Name, now),
                    $"{flag.Name} is {(flag.Enabled ? "on" : "off")}, but not in {string.Join(", ", others)}."
                )
            );
        }

        return late;
    }
}
