using AutoTicket.Flags;

namespace AutoTicket.Diagnostics;

/// <summary>Whether what was decided about the flags is in force everywhere.</summary>
internal static class FlagAgreement
{
    /// <returns>Flags that a live process has otherwise than this one.</returns>
    public static IReadOnlyList<(DateTimeOffset Since, string Evidence)> Late(FlagsSnapshot flags) =>
    [
        .. from flag in flags.Flags
           let others = flag.Acks.Where(ack => ack.Enabled != flag.Enabled).ToList()
           where others.Count > 0
           select (flag.ChangedAt ?? others.Min(ack => ack.At), $"{flag.Name} is {(flag.Enabled ? "on" : "off")}, but not in {string.Join(", ", others.Select(ack => ack.Instance))}."),
    ];
}
