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

    /// <summary>In an emergency a variable and a restart switch a flag off, perhaps weeks after somebody switched it on.</summary>
    [Fact]
    public async Task A_flag_that_the_environment_switched_off_is_not_blamed_on_who_last_changed_it()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Sqlite);
        await using (var before = await ConsoleHost.StartAsync(database, settings: Environment(null)))
        {
            await before.WaitForFlagsAsync();
            await before.Get<FlagWatch>().ChangeAsync(FlagNames.AlertsAutoTicket, new(true, "all is well"), "ada", default);
            await before.Get<FlagWatch>().ChangeAsync(FlagNames.InvestigateFromStatus, new(false, "a drill"), "bea", default);
        }

        await using var console = await ConsoleHost.StartAsync(database, settings: Environment("0"));
        await console.WaitForFlagsAsync();

        ConsoleProblem? filing = null;
        await Eventually.TrueAsync(
            () =>
                (filing = console.Get<AttentionWatch>().Current.Problems.FirstOrDefault(one => one.Kind == ProblemKind.FilingOff)) != null,
            "the strip says that it is off"
        );
        Assert.EndsWith("switched off by the environment: FLAG_CONSOLE_ALERTS_AUTO_TICKET=0.", filing!.Text, StringComparison.Ordinal);
        var flags = console.Get<FlagWatch>().Current.Flags;
        Assert.Equal("environment", flags.Single(flag => flag.Name == FlagNames.AlertsAutoTicket).SwitchedOff?.By);
        Assert.Equal(flags.Single(flag => flag.Name == FlagNames.AlertsAutoTicket).Off!.Since, filing.Since);
        Assert.Equal("bea", flags.Single(flag => flag.Name == FlagNames.InvestigateFromStatus).SwitchedOff?.By);
        var finding = await console.Get<ConsoleChecks>().FlagsAsync(default);
        Assert.DoesNotContain("ada", $"{finding}", StringComparison.Ordinal);
        Assert.Contains("in the environment and restart the console", $"{finding}", StringComparison.Ordinal);

        static Dictionary<string, string?> Environment(string? pin) =>
            new() { [FlagNames.AlertsAutoTicket] = pin, [FlagNames.InvestigateFromStatus] = null };
    }
}
