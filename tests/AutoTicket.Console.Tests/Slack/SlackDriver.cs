using System.Text.Json.Nodes;
using AutoTicket.Alerts;
using AutoTicket.Sandbox;
using AutoTicket.Slack;
using AutoTicket.Surfaces;
using AutoTicket.Tests.Alerts;
using AutoTicket.Tickets;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace AutoTicket.Tests.Slack;

/// <summary>The console's Slack hook against the sandbox's Slack over HTTP, with a clock that stands still. It keeps log lines from TRACE
/// on; an ERROR fails the test.</summary>
internal sealed class SlackDriver : IAsyncDisposable
{
    public const string Canary = "xoxb-canary-5e1f09";
    public const string ConsoleUrl = "https://console.example.org";
    public static readonly TimeSpan QuietPeriod = TimeSpan.FromMinutes(15);

    private readonly ServiceProvider _services;
    private readonly FakeLogCollector _log = new();
    private long _rows;

    private SlackDriver(SandboxServer sandbox, IReadOnlyDictionary<string, string?>? settings)
    {
        Sandbox = sandbox;
        sandbox.Slack.BotToken = Canary;
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(sandbox.ConsoleSettings())
            .AddInMemoryCollection(new Dictionary<string, string?> { ["CONSOLE_PUBLIC_URL"] = ConsoleUrl })
            .AddInMemoryCollection(settings ?? new Dictionary<string, string?>())
            .Build();
        var services = new ServiceCollection();
        services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(new FakeLoggerProvider(_log)));
        services.AddSingleton<IConfiguration>(configuration);
        services.AddSingleton<TimeProvider>(Clock);
        services.AddSingleton(new ConsoleAddress(configuration, server: null!)); // unused: a public address is configured
        services.Configure<AlertsOptions>(alerts => alerts.QuietPeriod = QuietPeriod);
        Mutes = AlertMutesTests.None(Clock);
        services.AddSingleton(Mutes);
        services.AddSlackHook();
        _services = services.BuildServiceProvider();
        Hook = _services.GetRequiredService<IAlertHook>();
    }

    public SandboxServer Sandbox { get; }

    public StillClock Clock { get; } = new();

    public AlertMutes Mutes { get; }

    public IAlertHook Hook { get; }

    public SlackHealth Health => _services.GetRequiredService<SlackHealth>();

    /// <summary>The delivered messages, oldest first.</summary>
    public IReadOnlyList<string> Messages => [.. Sandbox.Slack.Messages.Select(message => message.Text)];

    public IReadOnlyList<JsonObject> Posts => [.. Requests("chat.postMessage").Select(request => JsonNode.Parse(request.Body)!.AsObject())];

    public IReadOnlyList<string> Log => [.. _log.GetSnapshot().Select(LineOf)];

    public IReadOnlyList<string> Warnings => [.. _log.GetSnapshot().Where(record => record.Level == LogLevel.Warning).Select(LineOf)];

    public static async Task<SlackDriver> StartAsync(IReadOnlyDictionary<string, string?>? settings = null) =>
        new(await SandboxServer.StartAsync(), settings);

    public IReadOnlyList<RecordedRequest> Requests(string method) =>
        [.. Sandbox.Slack.RecordedRequests.Where(request => request.Path.EndsWith(method, StringComparison.Ordinal))];

    public Alert Alert(
        string name = "Checkout fails",
        Severity severity = Severity.P2,
        string summary = "HTTP 503",
        AlertStatus status = AlertStatus.Firing,
        int reopened = 0,
        string? surface = null
    ) =>
        new()
        {
            Id = ++_rows,
            AlertId = AlertIdentity.Of("test", $"{name} {_rows}", surface, []),
            LogicalId = AlertIdentity.Of("test", name, surface, []),
            Status = status,
            Source = "test",
            Name = name,
            Surface = surface,
            Severity = severity,
            Summary = summary,
            StartedAt = Clock.GetUtcNow(),
            OpenedAt = Clock.GetUtcNow(),
            SeenAt = Clock.GetUtcNow(),
            EndedAt = status == AlertStatus.Firing ? null : Clock.GetUtcNow(),
            Reopened = reopened,
        };

    public AlertNotice Firing(string name = "Checkout fails", Severity severity = Severity.P2, string summary = "HTTP 503") =>
        new(Alert(name, severity, summary), NoticeKind.Firing, LastDelivery: null, Ticket: null);

    public AlertNotice[] Many(int count, Severity severity = Severity.P2) =>
        [.. Enumerable.Range(1, count).Select(number => Firing($"Alert {number:D3}", severity))];

    public AlertDelivery Delivery(Alert alert, Severity? severity = null) =>
        new()
        {
            AlertRow = alert.Id,
            Hook = Hook.Name,
            Kind = DeliveryKind.Firing,
            At = Clock.GetUtcNow(),
            Severity = severity ?? alert.Severity,
            Reopened = alert.Reopened,
        };

    public async Task<IReadOnlyList<HookOutcome>> DeliverAsync(params AlertNotice[] notices)
    {
        var outcomes = new List<HookOutcome>();
        await foreach (var together in Hook.DeliverAsync(notices, default))
        {
            outcomes.AddRange(together);
        }

        Assert.Equal(notices.ToHashSet(), outcomes.Select(outcome => outcome.Notice).ToHashSet());
        Assert.Equal(notices.Length, outcomes.Count);
        return outcomes;
    }

    public async Task<(bool IsDone, string Decision, string? Detail)> DeliverOneAsync(AlertNotice notice)
    {
        var outcome = (await DeliverAsync(notice)).Single();
        return (outcome.IsDone, outcome.Decision.Text, outcome.Detail);
    }

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        await Sandbox.DisposeAsync();
        Assert.DoesNotContain(_log.GetSnapshot(), record => record.Level >= LogLevel.Error);
        Assert.DoesNotContain(Log, line => line.Contains(Canary, StringComparison.OrdinalIgnoreCase));
    }

    private static string LineOf(FakeLogRecord record) => $"{record.Message} {record.Exception}".TrimEnd();
}
