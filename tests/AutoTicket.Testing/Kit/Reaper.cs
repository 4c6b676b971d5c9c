using System.Diagnostics;

namespace AutoTicket.Tests.Kit;

/// <summary>A shell that kills the tests' processes when the test host ends without disposing them, even by SIGKILL: its pipe closes then.
/// (PR_SET_PDEATHSIG fires as soon as the forking <em>thread</em> ends.)</summary>
internal static class Reaper
{
    private const string Script = """
        watched=' '
        while read -r verb pid; do
          case $verb in
            watch) watched="$watched$pid " ;;
            forget) watched="${watched%% $pid *} ${watched#* $pid }" ;;
          esac
        done
        kill -KILL $watched 2>/dev/null
        """;

    private static readonly Lock Gate = new();
    private static readonly Lazy<StreamWriter> Shell = new(Start);

    public static void Watch(int processId) => WriteLine($"watch {processId}");

    /// <summary>Call it once the process has exited: the system may reuse its id.</summary>
    public static void Forget(int processId) => WriteLine($"forget {processId}");

    private static void WriteLine(string line)
    {
        lock (Gate)
        {
            Shell.Value.Write(line + "\n");
            Shell.Value.Flush();
        }
    }

    // In a separate session: a signal to the test host's process group must not kill the shell.
    private static StreamWriter Start() =>
        Process.Start(new ProcessStartInfo("setsid", ["sh", "-c", Script]) { RedirectStandardInput = true })!.StandardInput;
}
