namespace AutoTicket.Sandbox;

/// <summary>The sandbox's own pages and control API: not recorded, and not affected by faults.</summary>
internal sealed class SandboxPages(SandboxParts parts)
{
    /// <param name="Fault">Null: it removes all faults.</param>
    /// <param name="Watch">What a visitor should look at in the console.</param>
    private sealed record Mood(string Path, Fault? Fault, string Watch)
    {
        public string Label => Fault is null ? "Everything healthy" : FaultText.Of(Fault);
    }

    private static readonly Mood[] Moods =
    [
        new("healthy", null, "Tickets and DMs that waited are filed and sent within a minute, each once."),
        new(
            "slow",
            new Fault(FaultKind.Delay) { Match = FaultMatch.FreeScout, Delay = TimeSpan.FromSeconds(5) },
            "The console gives up a call after 3.5 s and says that FreeScout timed out. The board stays quick. A "
                + "ticket whose response came too late is found, and no second one is filed."
        ),
        new(
            "down",
            new Fault(FaultKind.Status) { Match = FaultMatch.FreeScout, StatusCode = 503 },
            "Every page of the console says that FreeScout is down, and since when. Investigate says why there is no "
                + "ticket yet. Alerts wait for their tickets; DMs are still sent."
        ),
        new(
            "mute",
            new Fault(FaultKind.HangAfter) { Match = FaultMatch.FreeScoutCreate },
            "Click Investigate on a tile without a ticket: the ticket appears in FreeScout, but the console gets no "
                + "response. It looks for the ticket by its marker and shows it on the tile within about a minute. No second"
                + " ticket is filed, however often you click."
        ),
        new(
            "slack-down",
            new Fault(FaultKind.Status) { Match = FaultMatch.Slack, StatusCode = 503 },
            "Every page of the console says that DMs fail, and since when. Tickets are still filed. The DMs wait, and "
                + "each is sent once when Slack is back."
        ),
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
                <ul class="rows">{Moods.Select(mood => Row(mood, faults))}</ul>
                <h2>Surfaces</h2>
                <ul class="rows">{parts.Surfaces.Links.Select(link =>
                    Html.Of($"""<li>{link.Name}: <a href="{link.Url}" rel="noreferrer">{link.Url}</a></li>""")
                )}</ul>
                """
            )
        );
    }

    private static Html Chip(ActiveFault active) =>
        Html.Of(
            $"""<span class="chip">{FaultText.Of(active.Fault)} ({active.Hits} {(active.Hits == 1 ? "call" : "calls")} so far)</span>"""
        );

    /// <summary>A button that is pressed while its fault is active, with what to watch for.</summary>
    private static Html Row(Mood mood, ActiveFault[] faults)
    {
        var isPressed = mood.Fault is null ? faults.Length == 0 : Array.Exists(faults, active => active.Fault == mood.Fault);
        return Html.Of(
            $"""
            <li><form method="post" action="/sandbox/mood/{mood.Path}"><button class="{(mood.Fault is null ? "" : "danger")}"
            aria-pressed="{(isPressed ? "true" : "false")}" aria-describedby="watch-{mood.Path}">{mood.Label}</button></form>
            <span class="quiet" id="watch-{mood.Path}">{mood.Watch}</span></li>
            """
        );
    }

    private Answer Set(string path)
    {
        if (Array.Find(Moods, known => known.Path == path) is not { } mood)
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
