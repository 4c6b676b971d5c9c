using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using AutoTicket.Data;
using AutoTicket.Sandbox;
using AutoTicket.Slack;
using AutoTicket.Surfaces;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace AutoTicket.Tests.Kit;

/// <summary>
/// The real console, as <c>Program.cs</c> builds it, inside the test process. It has its own loopback port, database and sandbox. The
/// poller runs as in production; the test supplies the surfaces and, if it needs one, the clock. Disposing the host fails the test if the
/// log has an ERROR line, unless <see cref="ExpectsErrors"/> is set.
/// </summary>
internal sealed class ConsoleHost : IConsole, IAsyncDisposable
{
    /// <summary>Value of the setting <c>urls</c> for browser tests outside Development, where cookies are sent only over TLS. The
    /// certificate is self-signed, so the browser context must ignore certificate errors.</summary>
    public const string OverTls = "https://127.0.0.1:0";

    private static readonly Lazy<X509Certificate2> Certificate = new(() =>
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var today = TimeProvider.System.GetUtcNow();
        return new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256).CreateSelfSigned(today.AddDays(-1), today.AddDays(1));
    });

    private static readonly Dictionary<string, string?> PatientSettings = new()
    {
        ["FreeScout:CallTimeout"] = "00:00:20",
        ["Ticketing:ClickBudget"] = "00:00:25",
        ["Ticketing:Lease"] = "00:00:30",
    };

    private static int _disposed;

    private readonly WebApplication _app;
    private readonly TestDatabase? _ownDatabase;
    private readonly SandboxServer? _ownSandbox;
    private static readonly ConcurrentDictionary<ConsoleHost, bool> Live = new();

    private readonly LogLines _log;

    private ConsoleHost(WebApplication app, SandboxServer sandbox, SandboxServer? ownSandbox, TestDatabase? ownDatabase, LogLines log)
    {
        (_app, Sandbox, _ownSandbox, _ownDatabase, _log) = (app, sandbox, ownSandbox, ownDatabase, log);
        Address = new Uri(app.Urls.First());
        Http = new HttpClient { BaseAddress = Address, Timeout = Eventually.Patience };
        Live.TryAdd(this, true);
    }

    public SandboxServer Sandbox { get; }

    public Uri Address { get; }

    /// <summary>A client signed in as the developer (Development, over loopback).</summary>
    public HttpClient Http { get; }

    /// <summary>Lines as <c>LEVEL category message</c>, oldest first.</summary>
    public IReadOnlyCollection<string> Log => _log.Lines;

    public bool ExpectsErrors { get; set; }

    /// <summary>The last warnings and errors of all consoles of the process, for a test that fails on a machine that nobody can look at. Of
    /// which test a console is, it can't tell.</summary>
    public static string LastWarnings =>
        string.Concat(
            Live.Keys.Select(host => (host.Address, Lines: host.Log.Where(line => !line.StartsWith("INFO", StringComparison.Ordinal))))
                .Where(host => host.Lines.Any())
                .Select(host => $"\n{host.Address} logged:\n{string.Join('\n', host.Lines.TakeLast(10))}")
        );

    public T Get<T>()
        where T : notnull => _app.Services.GetRequiredService<T>();

    /// <summary>The value of this console's gauge. <c>/metrics</c> has the instruments of all consoles in the process, and of two with one
    /// name the later one's value.</summary>
    public double Gauge(string name)
    {
        var value = double.NaN;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == name && instrument.Meter.Scope == Get<IMeterFactory>())
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<double>((_, measured, _, _) => value = measured);
        listener.Start();
        listener.RecordObservableInstruments();
        return value;
    }

    /// <param name="database">Null: the host creates a SQLite database.</param>
    /// <param name="sandbox">Null: the host starts one.</param>
    /// <param name="settings">Added to those that point the console to the sandbox and the database. A null value removes a
    /// setting.</param>
    /// <param name="clock">The console's clock; null: the real one. In real time, calls and readings may be late, unless a setting or a
    /// service says otherwise.</param>
    /// <param name="services">Changes the service registrations.</param>
    public static async Task<ConsoleHost> StartAsync(
        TestDatabase? database = null,
        SandboxServer? sandbox = null,
        IReadOnlyDictionary<string, string?>? settings = null,
        TimeProvider? clock = null,
        string environment = "Development",
        Action<IServiceCollection>? services = null
    )
    {
        var ownDatabase = database is null ? await TestDatabase.CreateAsync(Database.Sqlite) : null;
        var ownSandbox = sandbox is null ? await SandboxServer.StartAsync() : null;
        sandbox ??= ownSandbox!;
        var log = new LogLines();
        var builder = WebApplication.CreateBuilder(
            new WebApplicationOptions
            {
                Args = ["--hostBuilder:reloadConfigOnChange=false"],
                EnvironmentName = environment,
                ApplicationName = typeof(AutoTicketing).Assembly.GetName().Name,
                ContentRootPath = ContentRoot.Find(),
            }
        );
        builder.Configuration.AddInMemoryCollection(sandbox.ConsoleSettings());
        builder.Configuration.AddInMemoryCollection(
            (database ?? ownDatabase!).Settings.Select(pair => KeyValuePair.Create(pair.Key, (string?)pair.Value))
        );
        builder.Configuration.AddInMemoryCollection(
            new Dictionary<string, string?>
            {
                ["Sandbox:Enabled"] = "false",
                ["urls"] = "http://127.0.0.1:0",
                ["FLAG_CONSOLE_INVESTIGATE_FROM_STATUS"] = "1",
                // A test that moves the clock must not make the leader look frozen.
                ["Leader:Lease"] = clock is StillClock ? "00:05:00" : null,
            }
        );
        // A step of the clock, or a busy machine, must not make a surface slow during its check.
        builder.Configuration.AddInMemoryCollection(
            (settings?.Keys ?? [])
                .Where(setting => clock is StillClock or not FakeTimeProvider && setting.StartsWith("Surfaces:", StringComparison.Ordinal))
                .Select(setting => setting.Split(':')[1])
                .Distinct()
                .Select(index =>
                    KeyValuePair.Create($"Surfaces:{index}:SlowAfter", (string?)(clock is StillClock ? "00:05:00" : "00:00:15"))
                )
        );
        if (clock is not FakeTimeProvider)
        {
            // In real time a busy machine must not make an answer or a reading late.
            builder.Configuration.AddInMemoryCollection(PatientSettings);
        }

        builder.Configuration.AddInMemoryCollection(settings ?? new Dictionary<string, string?>());
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ConfigureHttpsDefaults(https => https.ServerCertificate = Certificate.Value));
        builder.AddAutoTicketing();
        builder.Services.Configure<SlackOptions>(slack => slack.CallTimeout = TimeSpan.FromSeconds(20));
        if (clock is not FakeTimeProvider)
        {
            builder.Services.Configure<StatusOptions>(status => status.StaleAfter = TimeSpan.FromMinutes(1) + (2 * status.PollInterval));
        }

        builder.Logging.ClearProviders();
        builder.Logging.AddProvider(log);
        if (clock is not null)
        {
            builder.Services.Replace(ServiceDescriptor.Singleton(clock));
            if (clock is DatabaseClock shared)
            {
                // DatabaseGate sets this clock to the database's time.
                builder.Services.Replace(ServiceDescriptor.Singleton(shared));
            }
        }

        services?.Invoke(builder.Services);
        var app = builder.Build();
        app.MapAutoTicketing();
        try
        {
            await app.StartAsync();
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }

        return new ConsoleHost(app, sandbox, ownSandbox, ownDatabase, log);
    }

    /// <summary>Waits for the first read of the flags. Until then they are off.</summary>
    public Task WaitForFlagsAsync() =>
        Eventually.TrueAsync(() => Get<AutoTicket.Flags.FlagWatch>().Current.ReadAt is not null, "the console has read its flags");

    /// <summary>Starts a console whose start must fail. Returns the sentence that Program.cs prints after "can't start".</summary>
    /// <param name="variables">Named as environment variables.</param>
    public static async Task<string> RefusalAsync(
        TestDatabase database,
        SandboxServer sandbox,
        IReadOnlyDictionary<string, string> variables,
        string environment
    )
    {
        var refusal = await Record.ExceptionAsync(() => StartAsync(database, sandbox, SettingsOf(variables), environment: environment));
        Assert.True(refusal is ConfigurationException or OptionsValidationException, refusal?.ToString() ?? "It started.");
        Assert.DoesNotContain('\n', refusal!.Message);
        return refusal.Message;
    }

    /// <summary>Environment variables as .NET configuration keys.</summary>
    public static Dictionary<string, string?> SettingsOf(IReadOnlyDictionary<string, string> variables) =>
        variables.ToDictionary(
            pair => pair.Key == "ASPNETCORE_URLS" ? "urls" : pair.Key.Replace("__", ":", StringComparison.Ordinal),
            pair => (string?)pair.Value
        );

    /// <summary>Settings of a surface that the sandbox serves; it goes down at the first failure.</summary>
    public static Dictionary<string, string?> SurfaceSettings(int index, string key, Uri url, string severity = "P2") =>
        new()
        {
            [$"Surfaces:{index}:Key"] = key,
            [$"Surfaces:{index}:Name"] = $"Surface {key}",
            [$"Surfaces:{index}:Url"] = url.AbsoluteUri,
            [$"Surfaces:{index}:Severity"] = severity,
            [$"Surfaces:{index}:DownAfter"] = "1",
            [$"Surfaces:{index}:UpAfter"] = "1",
            [$"Surfaces:{index}:Timeout"] = "00:00:20",
        };

    /// <summary>Stops the console, as a restart would. Disposing it afterwards only checks the log.</summary>
    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Live.TryRemove(this, out _);
        Http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        if (_ownSandbox is not null)
        {
            await _ownSandbox.DisposeAsync();
        }

        if (_ownDatabase is not null)
        {
            await _ownDatabase.DisposeAsync();
        }

        // A host holds about 10 MB, and the garbage collector is slow to free it. Without this a run would keep more than a hundred.
        if (Interlocked.Increment(ref _disposed) % 25 == 0)
        {
            GC.Collect();
        }

        if (!ExpectsErrors)
        {
            // As a message: xunit cuts off compared values before the exception's text.
            var errors = _log
                .Lines.Where(line =>
                    line.StartsWith("ERROR", StringComparison.Ordinal) || line.StartsWith("CRITICAL", StringComparison.Ordinal)
                )
                .ToList();
            Assert.True(errors.Count == 0, string.Join('\n', errors));
        }
    }

    private sealed class LogLines : ILoggerProvider
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public IReadOnlyCollection<string> Lines => _lines;

        public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

        public void Dispose() { }

        private sealed class Logger(LogLines lines, string category) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

            public void Log<TState>(
                LogLevel logLevel,
                EventId eventId,
                TState state,
                Exception? exception,
                Func<TState, Exception?, string> formatter
            )
            {
                if (IsEnabled(logLevel))
                {
                    var level = logLevel switch
                    {
                        LogLevel.Information => "INFO",
                        LogLevel.Warning => "WARNING",
                        LogLevel.Error => "ERROR",
                        _ => "CRITICAL",
                    };
                    lines._lines.Enqueue($"{level} {category} {formatter(state, exception)} {exception}".TrimEnd());
                }
            }
        }
    }
}
