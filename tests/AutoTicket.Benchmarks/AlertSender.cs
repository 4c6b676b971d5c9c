using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using AutoTicket.Alerts;

namespace AutoTicket.Benchmarks;

/// <param name="PerSecond">Alerts acknowledged per second.</param>
/// <param name="Latencies">Duration of each request, in milliseconds.</param>
internal sealed record Load(double PerSecond, List<double> Latencies);

/// <summary>Sends the same alerts, in Prometheus's format, to the console and to Alertmanager.</summary>
/// <remarks>One request at a time per connection.</remarks>
internal sealed class AlertSender : IDisposable
{
    private readonly HttpClient _http;
    private readonly int _connections;

    public AlertSender(Uri address, int connections, string path = "/api/v2/alerts")
    {
        _connections = connections;
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = connections })
        {
            BaseAddress = new Uri(address, path),
        };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", AlertConsole.Token);
    }

    /// <summary>Requests of equal size; alerts are numbered from <paramref name="first"/>.</summary>
    public static List<byte[]> Requests(int first, int count, int batch) =>
        [
            .. Enumerable
                .Range(first, count)
                .Chunk(batch)
                .Select(numbers => Encoding.UTF8.GetBytes($"[{string.Join(',', numbers.Select(Alert))}]")),
        ];

    public async Task<Load> SendAsync(List<byte[]> requests, int batch)
    {
        var latencies = new double[requests.Count];
        var begun = Stopwatch.GetTimestamp();
        await Parallel.ForAsync(
            0,
            requests.Count,
            new ParallelOptions { MaxDegreeOfParallelism = _connections },
            async (i, cancellationToken) =>
                latencies[i] = await Measure.TimeAsync(async () =>
                {
                    using var content = new ByteArrayContent(requests[i])
                    {
                        Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
                    };
                    using var answer = await _http.PostAsync((Uri?)null, content, cancellationToken);
                    answer.EnsureSuccessStatusCode();
                })
        );
        return new Load(requests.Count * batch / (Measure.Since(begun) / 1000), [.. latencies]);
    }

    public Task SendAsync(int number) => SendAsync(Requests(number, 1, 1), 1);

    public void Dispose() => _http.Dispose();

    private static string Alert(int number) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $$$"""
            {"labels":{"alertname":"InstanceDown","instance":"db{{{number}}}.example.org:9100","job":"node","severity":"critical"},
            "annotations":{"summary":"db{{{number}}}.example.org:9100 is down","description":"No response for five minutes."},
            "startsAt":"2026-01-01T00:00:00.000Z","endsAt":"2099-01-01T00:00:00.000Z",
            "generatorURL":"http://prometheus.example.org/graph?g0.expr=up+%3D%3D+0"}
            """
        );
}
