namespace AutoTicket.Tickets;

/// <summary>How many tickets are filed for alerts at a time. Those that are under way together share commits, which is most of what a filing
/// costs, so a FreeScout that answers quickly is given many; but one that takes its time must not be buried in calls, of which each that is
/// given up may have made a ticket and has to be looked up. And while alerts come in, the machine is theirs: what is taken is safe, and is filed the
/// faster once all are.</summary>
internal sealed class FilingWidth
{
    public const int Least = 16;
    public const int Most = 128;
    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Slow = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();

    public int Now { get; private set; } = Least;

    /// <param name="took">How long the filing that just ended took, with what it waited for others.</param>
    /// <param name="alertsComeIn">Somebody waits for alerts to be taken.</param>
    /// <returns>How many may begin in its place.</returns>
    public int After(TimeSpan took, bool alertsComeIn)
    {
        lock (_lock)
        {
            var next = alertsComeIn || took > Slow ? Math.Max(Now - 1, Least) : took < Quick ? Math.Min(Now + 1, Most) : Now;
            var places = 1 + next - Now;
            Now = next;
            return places;
        }
    }
}
