using System.Text;

namespace AutoTicket.Sandbox;

/// <summary>The common layout of the sandbox's pages.</summary>
internal static class SandboxLayout
{
    public const string StylePath = "/sandbox/style.css";

    // No scripts; forms post only here. `frame-src 'self'` allows the threads' srcdoc frames,
    // `style-src-attr` their inline styles.
    private const string ContentSecurityPolicy =
        "default-src 'none'; img-src data:; style-src 'self'; style-src-attr 'unsafe-inline'; frame-src 'self'; "
        + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

    public static Answer Style { get; } =
        new(
            200,
            "text/css; charset=utf-8",
            Encoding.UTF8.GetBytes(
                """
                :root { color-scheme: light dark; --line: #8884; --link: #0b62c4; --accent: #0b62c4; }
                @media (prefers-color-scheme: dark) { :root { --link: #8ab8ff; } }
                * { box-sizing: border-box; }
                body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 52rem; padding: 1rem; overflow-wrap: anywhere; }
                header { border-bottom: 1px solid var(--line); margin-bottom: 1rem; padding-bottom: .5rem; }
                header strong { margin-right: 1rem; }
                a { color: var(--link); }
                nav a { margin-right: 1rem; }
                h1 { font-size: 1.4rem; line-height: 1.3; }
                h2 { font-size: 1.1rem; margin-top: 2rem; }
                ul.rows { list-style: none; margin: 0; padding: 0; }
                ul.rows > li { border-bottom: 1px solid var(--line); padding: .6rem 0; }
                .chip { border: 1px solid var(--line); border-radius: 1rem; display: inline-block; padding: 0 .6rem; }
                .chip { font-size: .85rem; margin-right: .25rem; }
                .quiet { font-size: .875rem; opacity: .8; }
                form + .quiet { display: block; }
                form { display: inline-block; margin: 0 .5rem .5rem 0; }
                button { background: var(--accent); border: 0; border-radius: .4rem; color: #fff; cursor: pointer; }
                button { font: inherit; min-height: 2.75rem; padding: .3rem 1rem; }
                button:focus-visible, a:focus-visible { outline: 3px solid currentColor; outline-offset: 2px; }
                button.danger { background: #b3261e; }
                button[aria-pressed=true] { box-shadow: 0 0 0 2px Canvas, 0 0 0 5px var(--link); }
                button[aria-pressed=true]::before { content: "✓ "; }
                iframe { background: Canvas; border: 1px solid var(--line); border-radius: .4rem; }
                iframe { display: block; resize: vertical; width: 100%; }
                pre { white-space: pre-wrap; }
                """
            )
        );

    public static Answer Page(string title, Html body, int status = 200) =>
        Answer
            .Html(
                status,
                Html.Of(
                        $"""
                        <!DOCTYPE html>
                        <html lang="en">
                        <head>
                        <meta charset="utf-8">
                        <meta name="viewport" content="width=device-width, initial-scale=1">
                        <title>{title}</title>
                        <link rel="icon" href="data:,">
                        <link rel="stylesheet" href="{StylePath}">
                        </head>
                        <body>
                        <header><nav>
                        <strong>AutoTicket sandbox</strong>
                        <a href="/">Index</a> <a href="/freescout/">FreeScout</a> <a href="/slack/">Slack</a>
                        </nav></header>
                        <main>
                        {body}
                        </main>
                        </body>
                        </html>
                        """
                    )
                    .ToString()
            )
            .With("Content-Security-Policy", ContentSecurityPolicy)
            .With("Cache-Control", "no-store");

    /// <summary>A button that posts to <paramref name="action"/>.</summary>
    public static Html Button(string action, string label, string style = "") =>
        Html.Of($"""<form method="post" action="{action}"><button class="{style}">{label}</button></form>""");
}
