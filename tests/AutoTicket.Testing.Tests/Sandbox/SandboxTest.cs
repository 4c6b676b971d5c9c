using System.Net.Http.Json;
using System.Text.Json.Nodes;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.Sandbox;

/// <summary>Starts a sandbox for each test, with a client for its FreeScout API.</summary>
public abstract class SandboxTest : IAsyncLifetime
{
    protected static readonly CancellationToken Never = CancellationToken.None;

    internal SandboxServer Server { get; private set; } = null!;

    protected FreeScoutStandIn FreeScout => Server.FreeScout;

    protected HttpClient Http { get; private set; } = null!;

    public virtual async Task InitializeAsync()
    {
        Server = await SandboxServer.StartAsync(Settings);
        Http = ClientFor(Server);
    }

    public virtual async Task DisposeAsync()
    {
        Http.Dispose();
        await Server.DisposeAsync();
    }

    protected virtual SandboxSettings Settings => new();

    protected static HttpClient ClientFor(SandboxServer server)
    {
        var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false })
        {
            BaseAddress = new Uri(server.FreeScout.BaseUrl + "/api/"),
        };
        http.DefaultRequestHeaders.Add("X-FreeScout-API-Key", server.FreeScout.ApiKey);
        http.DefaultRequestHeaders.Add("Accept", "application/json");
        return http;
    }

    /// <summary>A valid body of a create.</summary>
    protected static JsonObject Draft(string subject = "Checkout is down") =>
        new()
        {
            ["type"] = "email",
            ["mailboxId"] = 3,
            ["subject"] = subject,
            ["customer"] = new JsonObject
            {
                ["email"] = "ops-console@sandbox.example",
                ["firstName"] = "Ops",
                ["lastName"] = "Console",
            },
            ["threads"] = new JsonArray(new JsonObject { ["type"] = "customer", ["text"] = "<p>503</p>" }),
            ["imported"] = true,
            ["status"] = "active",
        };

    protected Task<HttpResponseMessage> CreateAsync(JsonObject? body = null) => Http.PostAsJsonAsync("conversations", body ?? Draft());

    protected async Task<long> CreatedIdAsync(JsonObject? body = null)
    {
        using var response = await CreateAsync(body);
        Assert.Equal(201, (int)response.StatusCode);
        return long.Parse(response.Headers.GetValues("Resource-ID").Single(), null);
    }

    protected async Task<JsonObject> GetAsync(string path) => (await Http.GetFromJsonAsync<JsonObject>(path))!;

    protected async Task<long[]> ListAsync(string query)
    {
        var list = await GetAsync("conversations?" + query);
        return [.. list["_embedded"]!["conversations"]!.AsArray().Select(row => row!["id"]!.GetValue<long>())];
    }

    protected static async Task<string> ErrorPathAsync(HttpResponseMessage response)
    {
        Assert.Equal(400, (int)response.StatusCode);
        var body = (await response.Content.ReadFromJsonAsync<JsonObject>())!;
        Assert.Equal("Error occurred", body["message"]!.GetValue<string>());
        var error = Assert.Single(body["_embedded"]!["errors"]!.AsArray())!;
        Assert.Equal("JSON", error["source"]!.GetValue<string>());
        Assert.NotEqual("", error["message"]!.GetValue<string>());
        return error["path"]!.GetValue<string>();
    }

    /// <summary>Waits up to a minute for work of another thread.</summary>
    protected static async Task EventuallyAsync(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!condition())
        {
            await Task.Delay(5, patience.Token);
        }
    }
}
