using System.Collections.Concurrent;
using AutoTicket.Flags;

namespace AutoTicket.Diagnostics;

/// <summary>Finds processes with another value of a flag than this one. A clock starts when the difference is first seen, because the
/// change may be older than the process.</summary>
internal sealed class FlagAgreement(FlagWatch flags, TimeProvider clock)
{
    /// <summary>Processes acknowledge their flags every ten seconds; an older acknowledgment is of one that has ended.</summary>
    private static readonly TimeSpan Alive = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<string, DateTimeOffset> _since = new();

    /// <returns>The flags with another value in a live process; null: the flags can't be read.</returns>
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
