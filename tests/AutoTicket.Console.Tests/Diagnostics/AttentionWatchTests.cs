using AutoTicket.Diagnostics;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Tests.Kit;

namespace AutoTicket.Tests.Diagnostics;

public sealed class AttentionWatchTests
{
    [Fact, Trait("Pitfall", "T-31")]
    public async Task While_FreeScout_is_down_the_strip_promises_only_the_tickets_that_will_be_filed()
    {
        await using var console = await ConsoleHost.StartAsync(
            settings: new Dictionary<string, string?> { ["FLAG_CONSOLE_INVESTIGATE_FROM_STATUS"] = null }
        );
        await console.WaitForFlagsAsync();
        using var fault = console.Sandbox.Faults.Add(new(Sandbox.FaultKind.Status) { Match = Sandbox.FaultMatch.FreeScout });

        await SaysAsync(text => !text.Contains("back", StringComparison.Ordinal) && !text.Contains("click", StringComparison.Ordinal));
        await SwitchOnAsync(FlagNames.InvestigateFromStatus);
        await SaysAsync(text => text.EndsWith(". Repeat clicks when it is back.", StringComparison.Ordinal));
        await SwitchOnAsync(FlagNames.AlertsAutoTicket);
        await SaysAsync(text =>
            text.EndsWith(". Active alerts get their tickets when it is back; repeat clicks.", StringComparison.Ordinal)
        );

        Task SwitchOnAsync(string flag) => console.Get<FlagWatch>().ChangeAsync(flag, new(true, "a test"), "olga", default);

        Task SaysAsync(Func<string, bool> says) =>
            Eventually.TrueAsync(
                () => console.Get<AttentionWatch>().Current.Problems.Any(one => one.Kind == ProblemKind.FreeScoutFails && says(one.Text)),
                "the strip says so"
            );
    }
}
