using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;

namespace AutoTicket.Tests.Kit;

/// <summary>The POSIX signals that <see cref="System.Diagnostics.Process"/> cannot send, with their numbers on Linux.</summary>
internal enum Signal
{
    HangUp = 1,
    Terminate = 15,
    Continue = 18,
    Stop = 19,
}

internal static class Signals
{
    public static void Send(int processId, Signal signal)
    {
        if (Kill(processId, (int)signal) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"{signal} could not be sent to process {processId}");
        }
    }

    /// <summary>The direct children of a process, from /proc.</summary>
    public static IReadOnlyList<int> ChildrenOf(int processId)
    {
        List<int> children = [];
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var candidate) && ParentOf(candidate) == processId)
            {
                children.Add(candidate);
            }
        }

        return children;
    }

    private static int? ParentOf(int processId)
    {
        try
        {
            var line = File.ReadLines($"/proc/{processId}/status")
                .FirstOrDefault(line => line.StartsWith("PPid:", StringComparison.Ordinal));
            return line is null ? null : int.Parse(line.AsSpan("PPid:".Length), CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            // It exited after /proc was listed.
            return null;
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern int Kill(int processId, int signal);
}
