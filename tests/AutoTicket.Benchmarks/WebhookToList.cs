using AutoTicket.Mailbox;
using AutoTicket.Sandbox;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Benchmarks;

/// <summary>Time from a change in FreeScout to the list of open tickets, by webhook (the poll is off).</summary>
/// <remarks>Compared with the minimum: one request to the console and one to FreeScout.</remarks>
internal static class WebhookToList
{
    private const int Times = 10;

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        await using var sandbox = await SandboxServer.StartAsync();
        var settings = sandbox.ConsoleSettings().ToDictionary();
        settings["Ticketing:SyncInterval"] = settings["Ticketing:ReconcileInterval"] = "01:00:00";
        await using var database = await BenchDatabase.StartAsync();
        await using var console = database.BuildConsole(settings);
        await console.StartAsync();
        var tickets = console.Services.GetRequiredService<OpenTickets>();
        var ticket = sandbox.FreeScout.CreateByHand("Pay is odd", ["auto:status", "surface:pay"]).Id;
        await console.Services.GetRequiredService<MailboxWatch>().RefreshAsync(CancellationToken.None);
        await Eventually.TrueAsync(() => tickets.Current.Tickets.Count == 1, "the ticket is listed");
        sandbox.FreeScout.AnnounceTo(new Uri(console.Urls.Single() + FreeScoutWebhook.Path));
        using var http = new HttpClient { BaseAddress = new Uri(console.Urls.Single()) };
        using var freeScout = new BareFreeScoutClient(sandbox.FreeScout);
        var shown = await Measure.AlternatingAsync(
            Times,
            () => Measure.TimeAsync(() => ChangeAsync(sandbox.FreeScout, tickets, ticket)),
            () =>
                Measure.TimeAsync(async () =>
                {
                    (await http.GetAsync("/healthz/live")).EnsureSuccessStatusCode();
                    await freeScout.SearchAsync("odd");
                })
        );
        await console.StopAsync();
        return
        [
            new("", "change in FreeScout to list, by webhook, p50 / two bare requests", shown.Ours, shown.Beside),
            new("", "the same, p99 of all / one second", Measure.Quantile(shown.AllOurs, 0.99), 1000, 1),
        ];
    }

    private static async Task ChangeAsync(FreeScoutStandIn freeScout, OpenTickets tickets, long ticket)
    {
        var isOpen = tickets.Current.Tickets.Count == 0;
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void OnChanged()
        {
            if (tickets.Current.Tickets.Count == (isOpen ? 1 : 0))
            {
                seen.TrySetResult();
            }
        }

        tickets.Changed += OnChanged;
        if (isOpen)
        {
            freeScout.Reopen(ticket);
        }
        else
        {
            freeScout.Close(ticket);
        }

        await seen.Task;
        tickets.Changed -= OnChanged;
    }
}
