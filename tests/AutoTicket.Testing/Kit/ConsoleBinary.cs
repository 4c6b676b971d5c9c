using System.Collections;
using System.Diagnostics;

namespace AutoTicket.Tests.Kit;

/// <summary>The paths of the built console and of the bare Blazor app, and start parameters with a known environment.</summary>
internal static class ConsoleBinary
{
    // The only inherited variables. Others of the developer's shell or CI (FLAG_*, DATABASE_URL, Surfaces__*, proxies, ASPNETCORE_*) would
    // make a result depend on the machine.
    private static readonly HashSet<string> Inherited = ["PATH", "TMPDIR", "LANG", "DOTNET_ROOT", "DOTNET_HOST_PATH"];

    public static string Path { get; } = Find("src", "AutoTicket.Console");

    /// <summary>The smallest Blazor Server app, with which the benchmarks compare the console.</summary>
    public static string BareBlazor => Find("tests", "AutoTicket.BareBlazor");

    public static string PublishedIn(DirectoryInfo folder) => System.IO.Path.Combine(folder.FullName, "AutoTicket.Console.dll");

    public static ProcessStartInfo StartInfo(
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string> settings,
        DirectoryInfo folder,
        string? program = null
    )
    {
        var dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") is { Length: > 0 } host ? host : "dotnet";
        var start = new ProcessStartInfo(dotnet, [program ?? Path, .. arguments])
        {
            WorkingDirectory = folder.FullName,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            if (Inherited.Contains((string)variable.Key))
            {
                start.Environment[(string)variable.Key] = (string?)variable.Value;
            }
        }

        // A new home folder, so that keys and caches don't pass from one run to the next.
        start.Environment["HOME"] = folder.FullName;
        // Most consoles of a run live for seconds. Optimized JIT compilation would cost each of them two seconds of a core.
        start.Environment["DOTNET_TC_CallCounting"] = "0";
        start.Environment["DOTNET_JITMinOpts"] = "1";
        start.Environment["DOTNET_gcConcurrent"] = "0";
        start.Environment["DOTNET_GCgen0size"] = "0x800000";
        start.Environment["DOTNET_GCConserveMemory"] = "5";
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        // A killed process would leave its diagnostics pipes in /tmp.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        start.Environment["ASPNETCORE_URLS"] = "http://127.0.0.1:0";
        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        return start;
    }

    // The project's own output folder, not the copy beside the tests: only the former has all static web assets.
    private static string Find(string kind, string project)
    {
        var framework = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(System.IO.Path.DirectorySeparatorChar));
        var beside = System.IO.Path.Combine(framework.FullName, $"{project}.dll");
        for (var folder = framework; folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "AutoTicket.Console.sln")))
            {
                string[] output = [folder.FullName, kind, project, "bin", framework.Parent!.Name, framework.Name, $"{project}.dll"];
                var built = System.IO.Path.Combine(output);
                return File.Exists(built) ? built : beside;
            }
        }

        return beside;
    }
}
