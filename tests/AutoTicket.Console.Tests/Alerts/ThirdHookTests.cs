using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using AutoTicket.Alerts;
using AutoTicket.Surfaces;
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

    [Fact]
    public async Task A_P1_does_not_wait_while_a_hook_rests_after_alerts_that_it_could_not_deliver()
    {
        // A rest takes at least two seconds of the machine's time.
        var longestRest = TimeSpan.FromSeconds(2);
        var pager = new Pager { RetryAfter = TimeSpan.FromHours(1) };
        await using var driver = await AlertDriver.StartAsync(services: services => services.AddSingleton<IAlertHook>(pager));
        await driver.RaiseAsync(AlertDriver.Say("held"));

        // A busy machine may need several tries.
        for (var n = 0; n < 10; n++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"urgent {n}");
            var calls = pager.Calls;
            await Eventually.TrueAsync(() => pager.Calls > calls, "the hook was called");
            await driver.RaiseAsync(AlertDriver.Say(name, Severity.P1));
            await Eventually.TrueAsync(() => pager.CalledAt(name) is not null, "the hook is called with the P1");

            if (Stopwatch.GetElapsedTime(pager.CallBefore(name), pager.CalledAt(name)!.Value) < longestRest)
            {
                return;
            }
        }

        Assert.Fail("Each P1 waited for the end of the rest.");
    }

    [Fact]
    public async Task A_P1_that_arrives_during_a_pass_goes_to_that_hook_before_the_next_one()
    {
        var first = new Pager { Name = "first", Works = true };
        var second = new Pager { Name = "second", RetryAfter = TimeSpan.FromHours(1) };
        await using var driver = await AlertDriver.StartAsync(services: services =>
            services.AddSingleton<IAlertHook>(first).AddSingleton<IAlertHook>(second)
        );
        await driver.RaiseAsync(AlertDriver.Say("held"));

        // The first one has a head start of 1.5 s, in which a busy machine may not come to it.
        for (var n = 0; n < 10; n++)
        {
            var (slow, urgent) = (string.Create(CultureInfo.InvariantCulture, $"slow {n}"), $"urgent {n}");
            var calls = second.Calls;
            await Eventually.TrueAsync(() => second.Calls > calls, "the second hook was called, and rests");
            var gate = first.Gate = new TaskCompletionSource();
            await driver.RaiseAsync(AlertDriver.Say(slow));
            await Eventually.TrueAsync(() => first.CalledAt(slow) is not null, "the first hook is called");
            await driver.RaiseAsync(AlertDriver.Say(urgent, Severity.P1));
            gate.SetResult();
            await Eventually.TrueAsync(
                () => first.CalledAt(urgent) is not null && second.CalledAt(urgent) is not null,
                "both are called with the P1"
            );
            if (first.CalledAt(urgent) < second.CalledAt(urgent))
            {
                return;
            }
        }

        Assert.Fail("Each P1 went to the second hook first.");
    }

    private sealed class Pager : IAlertHook
    {
        private readonly ConcurrentQueue<(long At, IReadOnlyList<AlertNotice> Notices)> _calls = [];

        public TimeSpan RetryAfter { get; init; }

        /// <summary>What a call waits for.</summary>
        public TaskCompletionSource? Gate { get; set; }

        /// <summary>When it was first called with the alert, as a timestamp.</summary>
        public long? CalledAt(string name) => Find(name) is var at and >= 0 ? _calls.ElementAt(at).At : null;

        /// <summary>The call before that one.</summary>
        public long CallBefore(string name) => _calls.ElementAt(Find(name) - 1).At;

        private int Find(string name) => _calls.ToList().FindIndex(call => call.Notices.Any(notice => notice.Alert.Name == name));

        public ConcurrentQueue<AlertNotice> Delivered { get; } = [];

        public int Calls { get; private set; }

        public bool Works { get; set; }

        public string Name { get; init; } = "pager";

        public async IAsyncEnumerable<IReadOnlyList<HookOutcome>> DeliverAsync(
            IReadOnlyList<AlertNotice> notices,
            [EnumeratorCancellation] CancellationToken cancellationToken
        )
        {
            await Task.Yield();
            Calls += notices.Count;
            if (notices.Count > 0)
            {
                _calls.Enqueue((Stopwatch.GetTimestamp(), notices));
                await (Gate?.Task ?? Task.CompletedTask);
            }

            if (!Works)
            {
                yield return
                [
                    .. notices.Select(notice => new HookOutcome(notice, IsDone: false, DecisionWord.Error) { RetryAfter = RetryAfter }),
                ];
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
