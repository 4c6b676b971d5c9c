using System.Net.Http.Json;
using System.Text.Json.Nodes;
using AutoTicket.Sandbox;

namespace AutoTicket.Benchmarks;

/// <summary>Calls FreeScout with a bare HttpClient and keeps no records.</summary>
internal sealed class BareFreeScoutClient : IDisposable
{
    private readonly HttpClient _http;

    public BareFreeScoutClient(FreeScoutStandIn freeScout)
    {
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(freeScout.BaseUrl + "/api/") };
        _http.DefaultRequestHeaders.Add("X-FreeScout-API-Key", freeScout.ApiKey);
    }

    public async Task SearchAsync(string subject)
    {
        using var answer = await _http.GetAsync($"conversations?state=published&subject={subject}");
        answer.EnsureSuccessStatusCode();
        await answer.Content.ReadAsByteArrayAsync();
    }

    public async Task CreateAsync(string subject = "Checkout is down")
    {
        using var answer = await _http.PostAsJsonAsync(
            "conversations",
            new JsonObject
            {
                ["type"] = "email",
                ["mailboxId"] = 3,
                ["subject"] = subject,
                ["customer"] = new JsonObject { ["email"] = "ops-console@sandbox.example" },
                ["threads"] = new JsonArray(new JsonObject { ["type"] = "customer", ["text"] = "<p>503</p>" }),
                ["imported"] = true,
                ["status"] = "active",
            }
        );
        answer.EnsureSuccessStatusCode();
    }

    public void Dispose() => _http.Dispose();
}
