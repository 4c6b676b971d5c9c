namespace AutoTicket.Benchmarks;

/// <summary>What a figure counts. Of what is done per second more is better, of everything else less.</summary>
internal enum Unit
{
    Milliseconds,
    PerSecond,
    Bytes,
}

/// <summary>One line of the table.</summary>
/// <param name="Goal">Its number in the list of goals.</param>
/// <param name="Measure">What was measured, and beside what.</param>
/// <param name="Beside">The peer's, or the physical limit's.</param>
/// <param name="Limit">The ratio to stay under, or of what is done per second to reach; null: none was set.</param>
internal sealed record Figure(string Goal, string Measure, double Ours, double Beside, double? Limit = null, Unit Unit = Unit.Milliseconds)
{
    public override string ToString()
    {
        var ratio = Ours / Beside;
        var (sign, isMet) = Unit == Unit.PerSecond ? (">=", ratio >= Limit) : ("<=", ratio <= Limit);
        var verdict = Limit is { } limit ? $"{sign} {limit, -4:0.##} {(isMet ? "met" : "MISSED")}" : "";
        return $"{Goal, -5} {Measure, -66} {Text(Ours), 12} {Text(Beside), 12}  {ratio, 6:0.00} {verdict}".TrimEnd();
    }

    private string Text(double value) =>
        (Unit, value) switch
        {
            (Unit.PerSecond, _) => $"{value:#,0}/s",
            (Unit.Bytes, >= 1024 * 1024) => $"{value / 1024 / 1024:0.0} MiB",
            (Unit.Bytes, _) => $"{value / 1024:0.0} KiB",
            (_, >= 1000) => $"{value / 1000:0.00} s",
            (_, >= 10) => $"{value:0} ms",
            _ => $"{value:0.000} ms",
        };
}
