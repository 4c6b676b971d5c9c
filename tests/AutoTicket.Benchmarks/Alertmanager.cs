using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace AutoTicket.Benchmarks;

/// <summary>Alertmanager from Debian; it sends each alert at once and ungrouped to a webhook on a bare Kestrel.</summary>
internal sealed class Alertmanager : IAsyncDisposable
{
    private readonly WebApplication _receiver;
    private readonly ToolProcess _process;

    private Alertmanager(WebApplication receiver, ToolProcess process, Uri address) =>
        (_receiver, _process, Address) = (receiver, process, address);

    public Uri Address { get; }

    public int Id => _process.Id;

    /// <param name="onWebhook">Runs in the webhook before it responds.</param>
    public static async Task<Alertmanager> StartAsync(Func<HttpContext, Task>? onWebhook = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var receiver = builder.Build();
        receiver.Run(async context =>
        {
            await (onWebhook?.Invoke(context) ?? Task.CompletedTask);
            await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
        });
        await receiver.StartAsync();
        var address = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{LoopbackPort.Next()}"));
        var process = ToolProcess.Start(
            "/usr/bin/prometheus-alertmanager",
            new Dictionary<string, string> { ["alertmanager.yml"] = Configuration(receiver.Urls.Single()) },
            "--config.file=alertmanager.yml",
            "--storage.path=data",
            "--cluster.listen-address=",
            $"--web.listen-address={address.Authority}"
        );
        using var http = new HttpClient();
        await Eventually.TrueAsync(async () => await IsReadyAsync(http, address), "Alertmanager is ready");
        return new Alertmanager(receiver, process, address);
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        await _receiver.DisposeAsync();
    }

    private static async Task<bool> IsReadyAsync(HttpClient http, Uri address)
    {
        try
        {
            using var answer = await http.GetAsync(new Uri(address, "/-/ready"));
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static string Configuration(string webhook) =>
        $$"""
            route:
              receiver: webhook
              group_by: ["..."]
              group_wait: 0s
              group_interval: 5m
              repeat_interval: 4h
            receivers:
              - name: webhook
                webhook_configs:
                  - url: {{webhook}}
            """;
}
