namespace AutoTicket.Benchmarks;

/// <summary>The unit of a figure. Higher is better for rates, lower for everything else.</summary>
internal enum Unit
{
    Milliseconds,
    PerSecond,
    Bytes,
    Percent,
    None,
}

/// <summary>One line of the result table.</summary>
/// <param name="Goal">Number in the list of goals.</param>
/// <param name="Measure">What is measured, and compared with what.</param>
/// <param name="Beside">The value of the peer or the physical limit.</param>
/// <param name="Limit">Upper limit of the ratio, lower limit for rates; null if none is set.</param>
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
            (Unit.Percent, _) => $"{value:0.00} %",
            (Unit.None, _) => $"{value:0.000}",
            (_, >= 1000) => $"{value / 1000:0.00} s",
            (_, >= 10) => $"{value:0} ms",
            _ => $"{value:0.000} ms",
        };
}
