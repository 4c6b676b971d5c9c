namespace AutoTicket.Benchmarks;

/// <summary>One line of the table.</summary>
/// <param name="Goal">Its number in the list of goals.</param>
/// <param name="Measure">What was measured, and beside what.</param>
/// <param name="Ours">In milliseconds.</param>
/// <param name="Beside">The peer's, or the physical limit's; milliseconds.</param>
/// <param name="AtMost">The ratio to stay under; null: none was set.</param>
internal sealed record Figure(string Goal, string Measure, double Ours, double Beside, double? AtMost = null)
{
    public override string ToString()
    {
        var ratio = Ours / Beside;
        var verdict = AtMost is not { } most ? "" : $"{most,6:0.##} {(ratio <= most ? "met" : "MISSED")}";
        return $"{Goal,-5} {Measure,-58} {Text(Ours),12} {Text(Beside),12}  {ratio,6:0.00} {verdict}";
    }

    private static string Text(double milliseconds) => milliseconds >= 1000 ? $"{milliseconds / 1000:0.00} s" : milliseconds >= 10 ? $"{milliseconds:0} ms" : $"{milliseconds:0.000} ms";
}
