namespace AutoTicket.Sandbox;

/// <summary>A fault in words: <c>FreeScout returns 503</c>.</summary>
internal static class FaultText
{
    public static string Of(Fault fault)
    {
        var effect = fault.Kind switch
        {
            FaultKind.Status or FaultKind.StatusAfter => $"returns {fault.StatusCode ?? 500}",
            FaultKind.Delay when fault.Delay is { } delay => $"takes {delay.TotalSeconds:0.###} s",
            FaultKind.Delay or FaultKind.HangBefore => "never answers",
            FaultKind.HangAfter when fault.Match == FaultMatch.FreeScoutCreate => "files but never answers",
            FaultKind.HangAfter or FaultKind.LateCommit => "executes but never answers",
            FaultKind.ResetBefore or FaultKind.CloseBefore => "breaks the connection",
            FaultKind.ResetAfter or FaultKind.CloseAfter => "executes, then breaks the connection",
            FaultKind.KilledMidway => "dies while it files a ticket",
            FaultKind.BlankOk or FaultKind.NoId => "executes and returns an empty response",
            FaultKind.HtmlLogin or FaultKind.Redirect => "asks for a sign-in",
            FaultKind.TornJson => "executes and returns half a response",
            FaultKind.WrongJson => "executes and returns other JSON",
            FaultKind.HugeBody => "executes and returns 50 MB",
            FaultKind.Unauthorized => "returns 401",
            FaultKind.Forbidden => "returns 403",
            FaultKind.RateLimited => "returns 429",
            _ => "returns 404, as without its API module",
        };
        return $"{Who(fault.Match)} {effect}";
    }

    private static string Who(FaultMatch match) =>
        match.Path switch
        {
            null => "Everything",
            _ when match == FaultMatch.FreeScout || match == FaultMatch.FreeScoutCreate => "FreeScout",
            _ when match == FaultMatch.Slack => "Slack",
            var path => $"{match.Method} {path}".TrimStart(),
        };
}
