#:sdk Aspire.AppHost.Sdk@13.6.4
#:package Aspire.Hosting.AppHost@13.6.5
#:package Aspire.Hosting.PostgreSQL@13.6.5
#:package Polly.Core@8.8.0
#:package Nerdbank.MessagePack@1.3.88
#:project ../src/AutoTicket.Sandbox/AutoTicket.Sandbox.csproj

// dotnet run tools/apphost.cs
// For developers: two consoles on one PostgreSQL, with the sandbox and Aspire's dashboard for their logs, traces and metrics.
// PostgreSQL runs in a container, unless DATABASE_URL names one.
using AutoTicket.Sandbox;

await using var sandbox = await SandboxServer.StartAsync(new SandboxSettings { Port = 5081 });
var builder = DistributedApplication.CreateBuilder(args);
var console = builder
    .AddProject("console", "../src/AutoTicket.Console/AutoTicket.Console.csproj")
    .WithReplicas(2)
    .WithHttpEndpoint(port: 5080)
    .WithEnvironment("Sandbox__Enabled", "false");
foreach (var (name, value) in sandbox.ConsoleSettings(surfaces: true))
{
    console.WithEnvironment(name.Replace(":", "__", StringComparison.Ordinal), value);
}

if (Environment.GetEnvironmentVariable("DATABASE_URL") is { Length: > 0 } url)
{
    console.WithEnvironment("DATABASE_URL", url);
}
else
{
    var server = builder.AddPostgres("postgres");
    var database = server.AddDatabase("autoticket");
    console
        .WithEnvironment(
            "DATABASE_URL",
            ReferenceExpression.Create(
                $"postgres://postgres:{server.Resource.PasswordParameter}@{server.Resource.PrimaryEndpoint.Property(EndpointProperty.HostAndPort)}/autoticket?sslmode=disable"
            )
        )
        .WaitFor(database);
}

await builder.Build().RunAsync();
