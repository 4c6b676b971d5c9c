namespace AutoTicket.Benchmarks;

/// <summary>The lists in Chromium with 5,000 active alerts, each with an open ticket, beside the budgets of the board.</summary>
internal static class ListsInBrowser
{
    private const int Loads = 5;

    // The page's script gets the server's time when the circuit is live: from then on a click works.
    private const string NoticeCircuit = """
        const begin = setInterval(() => {
          if (!window.autoticket || window.live) return;
          const { setServerTime } = autoticket;
          autoticket.setServerTime = (time) => { window.live ??= performance.now(); setServerTime(time); };
          clearInterval(begin);
        }, 1);
        """;

    /// <param name="console">Has 5,000 alerts with tickets.</param>
    public static async Task<IReadOnlyList<Figure>> RunAsync(AlertConsole console)
    {
        List<Figure> figures = [];
        foreach (var page in new[] { "alerts", "tickets", "incidents" })
        {
            var address = new Uri(console.Address, $"/console/{page}");
            List<double> paints = [],
                lives = [];
            for (var load = 0; load <= Loads; load++)
            {
                await using var browser = await Browser.NewPageAsync();
                await browser.Page.AddInitScriptAsync(NoticeCircuit);
                await browser.Page.GotoAsync(address.AbsoluteUri);
                await browser.Page.WaitForFunctionAsync("() => window.live");
                paints.Add(
                    await browser.Page.EvaluateAsync<double>("() => performance.getEntriesByName('first-contentful-paint')[0].startTime")
                );
                lives.Add(await browser.Page.EvaluateAsync<double>("() => window.live"));
            }

            figures.Add(new("", $"5,000 {page}: page on the wire / 300 KiB", await BytesAsync(address), 300 * 1024, 1, Unit.Bytes));
            figures.Add(new("", $"5,000 {page}: first paint / 800 ms", Measure.Median(paints.Skip(1)), 800, 1));
            figures.Add(new("", $"5,000 {page}: first click that works / 1.5 s", Measure.Median(lives.Skip(1)), 1500, 1));
        }

        return figures;
    }

    /// <returns>The size of the page as it is sent, compressed.</returns>
    public static async Task<int> BytesAsync(Uri address)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        http.DefaultRequestHeaders.Add("Accept-Encoding", "br, gzip");
        return (await http.GetByteArrayAsync(address)).Length;
    }
}
