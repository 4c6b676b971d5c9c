using System.Diagnostics;
using System.Globalization;

namespace AutoTicket.Benchmarks;

/// <summary>
/// What a console costs while nothing happens, with SQLite and a check of each surface every 30 s, beside a bare Blazor app and beside
/// Prometheus with its blackbox exporter (Debian's <c>prometheus</c> and <c>prometheus-blackbox-exporter</c>), all at the same time.
/// <see cref="Published"/> names a folder with a published console; without it the build's is measured, which starts more slowly.
/// </summary>
internal static class CostAtRest
{
    private const string Published = "PUBLISHED_CONSOLE";
    private const int Loads = 100;

    /// <summary>By its end most of the code that is used at rest has been optimized.</summary>
    private static readonly TimeSpan Settles = TimeSpan.FromSeconds(45);
    private static readonly TimeSpan Measured = TimeSpan.FromSeconds(30);

    private static readonly (int Surfaces, double Cpu, double Memory, double Launch)[] Goals =
    [
        (6, 0.5, 130, 1.2),
        (100, 1.5, 140, 1.2),
        (1000, 5, 200, 2),
    ];

    public static async Task<IReadOnlyList<Figure>> RunAsync()
    {
        await using var surfaces = await LoopbackSurfaces.StartAsync();
        var consoles = new List<(ConsoleProcess Console, double Launch)>();
        try
        {
            foreach (var (count, _, _, _) in Goals)
            {
                var launched = Stopwatch.GetTimestamp();
                var console = await LaunchAsync(surfaces, count);
                consoles.Add((console, Measure.Since(launched)));
                // Its first checks must not slow the next launch.
                await Task.Delay(TimeSpan.FromSeconds(3));
            }

            await using var bare = await ConsoleProcess.StartBareBlazorAsync(Measure.AsInProduction);
            await using var blackbox100 = BlackboxProbes.Start(surfaces.Address, 100);
            await using var blackbox1000 = BlackboxProbes.Start(surfaces.Address, 1000);
            await Task.Delay(Settles);
            await blackbox100.AreProbedAsync();
            await blackbox1000.AreProbedAsync();
            int[][] processes =
            [
                [bare.Id],
                blackbox100.Ids,
                blackbox1000.Ids,
                .. consoles.Select(console => new[] { console.Console.Id }),
            ];
            var (begun, before) = (Stopwatch.GetTimestamp(), processes.Select(Cpu).ToList());
            await Task.Delay(Measured);
            var took = Measure.Since(begun);
            var used = processes.Select((ids, i) => 100 * (Cpu(ids) - before[i]) / took).ToList();
            var memory = processes.Select(Memory).ToList();
            var loaded = await LoadAsync(consoles[^1].Console);

            var figures = new List<Figure>();
            foreach (var (i, (count, cpu, mebibytes, launch)) in Goals.Index())
            {
                figures.Add(new("R1", $"CPU at rest, {count} surfaces / {cpu} % of a core", used[i + 3], cpu, 1, Unit.Percent));
                figures.Add(
                    new(
                        "R2",
                        $"resident memory at rest, {count} surfaces / {mebibytes} MiB",
                        memory[i + 3],
                        Bytes(mebibytes),
                        1,
                        Unit.Bytes
                    )
                );
                figures.Add(new("R3", $"launch until it listens, {count} surfaces / {launch} s", consoles[i].Launch, 1000 * launch, 1));
            }

            figures.Add(new("R2", $"resident memory, 1,000 surfaces, {Loads} page loads / 200 MiB", loaded, Bytes(200), 1, Unit.Bytes));
            figures.Add(new("R1", "CPU at rest, 6 surfaces / bare Blazor app", used[3], used[0], null, Unit.Percent));
            figures.Add(new("R2", "resident memory at rest, 6 surfaces / bare Blazor app", memory[3], memory[0], null, Unit.Bytes));
            figures.Add(new("R1", "CPU, 100 surfaces / blackbox exporter + Prometheus", used[4], used[1], null, Unit.Percent));
            figures.Add(new("R2", "resident memory, 100 surfaces / the same", memory[4], memory[1], null, Unit.Bytes));
            figures.Add(new("G5d", "CPU, 1,000 surfaces / blackbox exporter + Prometheus", used[5], used[2], 0.1, Unit.Percent));
            figures.Add(new("R2", "resident memory, 1,000 surfaces / the same", memory[5], memory[2], null, Unit.Bytes));
            return figures;
        }
        finally
        {
            foreach (var (console, _) in consoles)
            {
                await console.DisposeAsync();
            }
        }
    }

    private static Task<ConsoleProcess> LaunchAsync(LoopbackSurfaces surfaces, int count)
    {
        var settings = Measure
            .AsInProduction.Concat(surfaces.Settings(count, hanging: 0, TimeSpan.FromSeconds(10)))
            .ToDictionary(setting => setting.Key, setting => setting.Value);
        settings.Remove("Status__PollInterval");
        settings["AUTOTICKET_SQLITE_PATH"] = "console.db";
        return Environment.GetEnvironmentVariable(Published) is { Length: > 0 } folder
            ? ConsoleProcess.StartPublishedAsync(new DirectoryInfo(folder), settings)
            : ConsoleProcess.StartAsync(settings);
    }

    /// <returns>Resident memory after a hundred loads of the board's page.</returns>
    private static async Task<double> LoadAsync(ConsoleProcess console)
    {
        for (var n = 0; n < Loads; n++)
        {
            await console.Http.GetStringAsync("/console/status");
        }

        await Task.Delay(TimeSpan.FromSeconds(5));
        return Memory([console.Id]);
    }

    /// <returns>CPU time in milliseconds.</returns>
    private static double Cpu(int[] ids) => ids.Sum(id => Read(id, process => process.TotalProcessorTime.TotalMilliseconds));

    private static double Memory(int[] ids) => ids.Sum(id => Read(id, process => process.WorkingSet64));

    private static double Read(int id, Func<Process, double> read)
    {
        using var process = Process.GetProcessById(id);
        return read(process);
    }

    private static double Bytes(double mebibytes) => mebibytes * 1024 * 1024;

    /// <summary>Prometheus, which has the blackbox exporter probe surfaces every 30 s.</summary>
    private sealed class BlackboxProbes(ToolProcess exporter, ToolProcess prometheus, string address, int count) : IAsyncDisposable
    {
        public int[] Ids => [exporter.Id, prometheus.Id];

        public static BlackboxProbes Start(Uri surfaces, int count)
        {
            var (probes, own) = (Address(LoopbackPort.Next()), Address(LoopbackPort.Next()));
            var exporter = ToolProcess.Start(
                "/usr/bin/prometheus-blackbox-exporter",
                new Dictionary<string, string> { ["blackbox.yml"] = "modules: {http_2xx: {prober: http, timeout: 10s}}" },
                "--config.file=blackbox.yml",
                $"--web.listen-address={probes}"
            );
            var targets = string.Join(", ", Enumerable.Range(0, count).Select(n => $"'{new Uri(surfaces, $"s{n}")}'"));
            var prometheus = ToolProcess.Start(
                "/usr/bin/prometheus",
                new Dictionary<string, string>
                {
                    ["prometheus.yml"] = $$"""
                    global: {scrape_interval: 30s}
                    scrape_configs:
                      - job_name: surfaces
                        metrics_path: /probe
                        params: {module: [http_2xx]}
                        static_configs: [{targets: [{{targets}}]}]
                        relabel_configs:
                          - {source_labels: [__address__], target_label: __param_target}
                          - {source_labels: [__param_target], target_label: instance}
                          - {target_label: __address__, replacement: '{{probes}}'}
                    """,
                },
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                $"--web.listen-address={own}"
            );
            return new BlackboxProbes(exporter, prometheus, own, count);
        }

        /// <summary>Waits until each surface has been probed once.</summary>
        public async Task AreProbedAsync()
        {
            using var http = new HttpClient();
            await Eventually.TrueAsync(
                async () =>
                {
                    var found = await http.GetStringAsync($"http://{address}/api/v1/query?query=count(probe_success==1)");
                    return found.Contains($"\"{count}\"", StringComparison.Ordinal);
                },
                "Prometheus has probed each surface"
            );
        }

        public async ValueTask DisposeAsync()
        {
            await prometheus.DisposeAsync();
            await exporter.DisposeAsync();
        }

        private static string Address(int port) => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");
    }
}
