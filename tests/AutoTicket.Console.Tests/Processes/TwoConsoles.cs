using System.Net;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Processes;

/// <summary>Two replicas for all tests of a class, one in a process of its own. Each test clicks on other surfaces.</summary>
public class TwoConsoles : IAsyncLifetime
{
    private static readonly string[] Surfaces = [.. Enumerable.Range(0, 12).Select(n => $"s{n}")];
    private int _used;

    public Consoles All { get; private set; } = null!;

    public ConsoleProcess A { get; private set; } = null!;

    internal ConsoleHost B { get; private set; } = null!;

    public SandboxServer Sandbox => All.Sandbox;

    /// <summary>A surface that no other test touches. It answers 503.</summary>
    public string NextSurface() => Surfaces[_used++];

    public async Task InitializeAsync()
    {
        All = await Consoles.CreateAsync(Surfaces);
        var other = All.StartHostAsync(Settings);
        (A, B) = (await All.StartAsync(Settings), await other);
    }

    public async Task DisposeAsync() => await All.DisposeAsync();

    internal ActiveFault FailCreates(Fault fault) => Sandbox.Faults.Add(fault with { Match = FaultMatch.FreeScoutCreate });

    /// <summary>Sends forty clicks at once, half to each process. Each is answered with 200.</summary>
    internal async Task<Answer[]> ClickFortyTimesAsync(string surface)
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(n => ClickAsync(n % 2 == 0 ? A : B, surface)));
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        return answers;
    }

    /// <summary>PostgreSQL on a busy machine may take longer than a click's timeout: 503 asks the user to try again.</summary>
    private static async Task<Answer> ClickAsync(IConsole console, string surface)
    {
        var answer = await console.InvestigateAsync(surface);
        for (var again = 0; answer.Status == HttpStatusCode.ServiceUnavailable && again < 5; again++)
        {
            answer = await console.InvestigateAsync(surface);
        }

        return answer;
    }

    protected virtual IReadOnlyDictionary<string, string>? Settings => null;
}

/// <summary>Two replicas that take over a lost claim within seconds.</summary>
public sealed class TwoHastyConsoles : TwoConsoles
{
    protected override IReadOnlyDictionary<string, string> Settings => Consoles.Hasty;
}
