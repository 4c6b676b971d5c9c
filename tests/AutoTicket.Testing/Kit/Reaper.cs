using System.Diagnostics;

namespace AutoTicket.Tests.Kit;

/// <summary>Kills what the tests started when the test host dies without disposing, SIGKILL included: a shell watches our
/// end of its pipe. (PR_SET_PDEATHSIG would do it too, but it fires when the forking <em>thread</em> ends.)</summary>
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

    public static void Watch(int processId) => Tell($"watch {processId}");

    /// <summary>To be called once the process has ended: its number may be given to another.</summary>
    public static void Forget(int processId) => Tell($"forget {processId}");

    private static void Tell(string line)
    {
        lock (Gate)
        {
            Shell.Value.Write(line + "\n");
            Shell.Value.Flush();
        }
    }

    // A session of its own: what kills the whole group of the test host must not kill the shell as well.
    private static StreamWriter Start() =>
        Process.Start(new ProcessStartInfo("setsid", ["sh", "-c", Script]) { RedirectStandardInput = true })!.StandardInput;
}
