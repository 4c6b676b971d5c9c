namespace AutoTicket.Sandbox;

/// <summary>The sandbox's own pages and control API: not recorded, and not affected by faults.</summary>
internal sealed class SandboxPages(SandboxParts parts)
{
    private static readonly (string Path, string Label, Fault? Fault)[] Moods =
    [
        ("healthy", "Everything healthy", null),
        ("slow", "FreeScout slow (5 s)", new Fault(FaultKind.Delay) { Match = FaultMatch.FreeScout, Delay = TimeSpan.FromSeconds(5) }),
        ("down", "FreeScout down (503)", new Fault(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 }),
        ("mute", "FreeScout files but never answers", new Fault(FaultKind.HangAfter) { Match = FaultMatch.FreeScoutCreate }),
        ("slack-down", "Slack down (503)", new Fault(FaultKind.Status) { Match = FaultMatch.Slack, StatusCode = 503 }),
    ];

    private readonly FreeScoutPages _freeScout = new(parts.FreeScout);
    private readonly SandboxControl _control = new(parts);

    public Answer Handle(RecordedRequest request)
    {
        if (IsForeign(request))
        {
            return Answer.Text(403, "Cross-site requests to the sandbox are not allowed.");
        }

        var path = request.Path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        return (request.Method, path) switch
        {
            ("GET", []) => Index(),
            ("GET", ["freescout"]) => _freeScout.List(),
            ("GET", ["freescout", "conversation", var id]) => _freeScout.Show(FreeScoutApi.Id(id) ?? 0),
            ("POST", ["freescout", "conversation", var id, var verb]) => _freeScout.Act(FreeScoutApi.Id(id) ?? 0, verb),
            ("GET", ["slack"]) => Slack(),
            ("GET", ["sandbox", "style.css"]) => SandboxLayout.Style,
            ("POST", ["sandbox", "mood", var mood]) => Set(mood),
            (_, ["sandbox", .. var rest]) => _control.Handle(request, rest),
            _ => NotFound(),
        };
    }

    public static Answer NotFound() => SandboxLayout.Page("Not found", Html.Of($"<h1>Page not found</h1>"), 404);

    private Answer Index()
    {
        var faults = parts.Faults.Active.Where(active => !active.IsHealed).ToArray();
        return SandboxLayout.Page(
            "AutoTicket sandbox",
            Html.Of(
                $"""
                <h1>AutoTicket sandbox</h1>
                <p>Simulated FreeScout, Slack and surfaces. Nothing here is real, and nothing leaves this machine.</p>
                <ul class="rows">
                <li><a href="/freescout/">Sandbox FreeScout</a>: {parts.FreeScout.Conversations.Count} conversations,
                API at <code>{parts.FreeScout.BaseUrl}/api</code></li>
                <li><a href="/slack/">Slack</a>: {parts.Slack.Messages.Count} direct messages</li>
                </ul>
                <h2>Faults</h2>
                <p>{(faults.Length == 0 ? Html.Of($"No faults are active.") : Html.Of($"{faults.Select(Chip)}"))}</p>
                {Moods.Select(mood => SandboxLayout.Button($"/sandbox/mood/{mood.Path}", mood.Label, mood.Fault is null ? "" : "danger"))}
                <h2>Surfaces</h2>
                <ul class="rows">{parts.Surfaces.Links.Select(link =>
                    Html.Of($"""<li>{link.Name}: <a href="{link.Url}" rel="noreferrer">{link.Url}</a></li>""")
                )}</ul>
                """
            )
        );
    }

    private static Html Chip(ActiveFault active)
    {
        var (kind, match) = (active.Fault.Kind, active.Fault.Match);
        var label = Array.Find(Moods, mood => mood.Fault == active.Fault).Label ?? $"{kind} on {match.Method} {match.Path ?? "everything"}";
        return Html.Of($"""<span class="chip">{label} ({active.Hits} calls so far)</span>""");
    }

    private Answer Set(string path)
    {
        var mood = Array.Find(Moods, known => known.Path == path);
        if (mood.Path is null)
        {
            return NotFound();
        }

        parts.Faults.Replace(mood.Fault is null ? [] : [mood.Fault]);
        return Answer.Redirect(303, "/");
    }

    private Answer Slack()
    {
        var messages = parts
            .Slack.Messages.Reverse()
            .Select(message =>
                Html.Of($"""<li><span class="quiet">{message.At} to {message.Channel}</span><pre>{message.Text}</pre></li>""")
            )
            .ToArray();
        return SandboxLayout.Page(
            "Sandbox Slack",
            Html.Of(
                $"""
                <h1>Sandbox Slack: direct messages to the operator</h1>
                {(messages.Length == 0 ? Html.Of($"<p>No messages yet.</p>") : Html.Of($"""<ul class="rows">{messages}</ul>"""))}
                """
            )
        );
    }

    // A web page can make the browser call a loopback port, by DNS rebinding or by a form.
    private static bool IsForeign(RecordedRequest request) =>
        request.Header("Host")?.Split(':')[0] is not ("127.0.0.1" or "localhost")
        || (request.Method != "GET" && request.Header("Sec-Fetch-Site") is not (null or "same-origin" or "none"));
}
