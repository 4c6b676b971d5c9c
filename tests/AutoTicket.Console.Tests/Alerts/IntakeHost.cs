using System.Net;
using System.Text;
using System.Text.Json;

namespace AutoTicket.Tests.Alerts;

/// <summary>A console with an open intake, and a client that sends alerts to it.</summary>
internal sealed class IntakeHost : IAsyncDisposable
{
    public const string Token = "canary-intake-1";

    private readonly TestDatabase? _own;

    private IntakeHost(ConsoleHost console, TestDatabase database, TestDatabase? own) =>
        (Console, Database, _own) = (console, database, own);

    public ConsoleHost Console { get; }

    public TestDatabase Database { get; }

    public static async Task<IntakeHost> StartAsync(
        Database kind = Kit.Database.Sqlite,
        Dictionary<string, string?>? settings = null,
        TestDatabase? database = null,
        TimeProvider? clock = null
    )
    {
        var own = database is null ? await TestDatabase.CreateAsync(kind) : null;
        try
        {
            var all = new Dictionary<string, string?> { ["ALERTS_INGEST_TOKEN"] = Token };
            foreach (var (name, value) in settings ?? [])
            {
                all[name] = value;
            }

            return new IntakeHost(await ConsoleHost.StartAsync(database ?? own, settings: all, clock: clock), database ?? own!, own);
        }
        catch
        {
            if (own is not null)
            {
                await own.DisposeAsync();
            }

            throw;
        }
    }

    public Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(string path, string body, string? authorization = $"Bearer {Token}") =>
        PostAsync(path, Encoding.UTF8.GetBytes(body), authorization);

    public async Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(
        string path,
        byte[] body,
        string? authorization = $"Bearer {Token}"
    )
    {
        var answer = await SendAsync(path, body, authorization);
        return (answer.StatusCode, JsonSerializer.Deserialize<JsonElement>(await answer.Content.ReadAsStringAsync()));
    }

    public async Task<HttpResponseMessage> SendAsync(string path, byte[] body, string? authorization)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(body) };
        if (authorization is not null)
        {
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        }

        return await Console.Http.SendAsync(request);
    }

    public async ValueTask DisposeAsync()
    {
        await Console.DisposeAsync();
        if (_own is not null)
        {
            await _own.DisposeAsync();
        }
    }
}
