using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using AutoTicket.Alerts;
using AutoTicket.Tests.Kit;
using Microsoft.Extensions.DependencyInjection;

namespace AutoTicket.Tests.Alerts;

/// <summary>Registering a hook is enough to get alerts: no other code lists the hooks.</summary>
public sealed class ThirdHookTests
{
    [Theory, BothDatabases]
    public async Task A_registered_hook_gets_each_alert_until_it_has_delivered_it_once(Database kind)
    {
        var pager = new Pager();
        await using var driver = await AlertDriver.StartAsync(kind, services: services => services.AddSingleton<IAlertHook>(pager));

        await driver.RaiseAsync(AlertDriver.Say("disk_full"));
        await driver.EventuallyDecidedAsync("error", "pager");
        // The log says when the decision changed, not at each try.
        await Eventually.TrueAsync(() => pager.Calls > 3, "the hook is called repeatedly");
        Assert.Single(
            driver.Console.Log,
            line => line.Contains("hook=pager ", StringComparison.Ordinal) && line.Contains("decision=error", StringComparison.Ordinal)
        );
        pager.Works = true;
        await driver.EventuallyDecidedAsync("sent", "pager");
        await driver.EventuallySettledAsync();
        await driver.EventuallyTicketsAsync(1);

        Assert.Equal("disk_full", Assert.Single(pager.Delivered).Alert.Name);
        Assert.Equal(["pager", "slack", "ticket"], (await driver.DeliveriesAsync()).Select(delivery => delivery.Hook).Order());

        await driver.RaiseAsync(AlertDriver.Say("disk_full", firing: false));
        await Eventually.TrueAsync(() => pager.Delivered.Count == 2, "the end is delivered");
        await driver.EventuallySettledAsync();

        Assert.Equal([NoticeKind.Firing, NoticeKind.Ended], pager.Delivered.Select(notice => notice.Kind));
    }

    private sealed class Pager : IAlertHook
    {
        public ConcurrentQueue<AlertNotice> Delivered { get; } = [];

        public int Calls { get; private set; }

        public bool Works { get; set; }

        public string Name => "pager";

        public async IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverAsync(
            IReadOnlyList<AlertNotice> notices,
            [EnumeratorCancellation] CancellationToken cancellationToken
        )
        {
            await Task.Yield();
            Calls += notices.Count;
            if (!Works)
            {
                yield return [.. notices.Select(notice => new HookOutcome(notice, IsDone: false, DecisionWord.Error))];
                yield break;
            }

            foreach (var notice in notices)
            {
                Delivered.Enqueue(notice);
                yield return [new HookOutcome(notice, IsDone: true, DecisionWord.Sent)];
            }
        }
    }
}
