using System.Net;
using System.Text.Json;
using AutoTicket.Tests.Kit;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;

namespace AutoTicket.Tests.Structure;

/// <summary>Walks the OpenAPI document: each operation has a name, a summary, who may call it, and every response that it gives.</summary>
public sealed class OpenApiTests(OpenApiTests.Shared shared) : IClassFixture<OpenApiTests.Shared>
{
    private static readonly string[] Methods = ["get", "post", "put", "delete"];

    /// <summary>The operations that another state refuses.</summary>
    private static readonly string[] Conflicts =
    [
        "CancelMaintenance",
        "EndMaintenance",
        "EndSnooze",
        "Investigate",
        "PlanMaintenance",
        "ResetFloodBreaker",
        "SnoozeAlert",
        "SwitchFlag",
        "TakeTicket",
    ];

    [Fact]
    public async Task The_version_of_the_build_is_in_the_description_and_at_the_foot_of_each_page()
    {
        Assert.Matches(@"^\d+\.\d+\.\d+", ProductVersion.Short);
        // .NET's default, without a version from git.
        Assert.NotEqual("1.0.0", ProductVersion.Short);
        Assert.Equal(ProductVersion.Short, shared.Document.GetProperty("info").GetProperty("version").GetString());
        var page = await shared.Console.Http.GetStringAsync(new Uri("/console/flags", UriKind.Relative));
        Assert.Contains($"Version {ProductVersion.Short}", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_operation_has_its_own_id_and_a_summary()
    {
        Assert.All(
            shared.Operations,
            one => Assert.EndsWith(".", one.Operation.GetProperty("summary").GetString(), StringComparison.Ordinal)
        );
        var ids = shared.Operations.ConvertAll(one => one.Operation.GetProperty("operationId").GetString()!);
        Assert.Equal(ids, ids.Distinct());
        Assert.InRange(ids.Count, 36, 1000);
    }

    [Fact]
    public void Each_operation_names_who_may_call_it()
    {
        var schemes = shared.Document.GetProperty("components").GetProperty("securitySchemes");
        Assert.All(
            shared.Operations,
            one =>
            {
                var names = one
                    .Operation.GetProperty("security")
                    .EnumerateArray()
                    .Select(any => any.EnumerateObject().Single().Name)
                    .ToList();
                Assert.NotEmpty(names);
                Assert.All(names, name => Assert.True(schemes.TryGetProperty(name, out _), name));
                Assert.Equal(IsForUsers(one.Operation), names.SequenceEqual(["token", "cookie"]));
            }
        );
        Assert.Equal(
            ["ReceiveFreeScoutEvent", "SendAlertmanagerAlerts", "SendAlerts", "SendPrometheusAlerts"],
            shared.Operations.Where(one => !IsForUsers(one.Operation)).Select(one => IdOf(one.Operation)).Order()
        );
    }

    [Fact]
    public void Each_operation_names_every_response_that_it_gives()
    {
        var lacking = new List<string>();
        foreach (var (path, method, operation) in shared.Operations)
        {
            var responses = operation.GetProperty("responses");
            Needs("401");
            Needs("503");
            Needs("404", path.Contains('{', StringComparison.Ordinal) || IdOf(operation) is "Investigate");
            Needs("400", IsForUsers(operation) && operation.TryGetProperty("requestBody", out _));
            Needs("403", IsForUsers(operation) && (method is not "get" || IdOf(operation).StartsWith("Export", StringComparison.Ordinal)));
            Needs("409", Conflicts.Contains(IdOf(operation)));
            Needs("429");

            var successes = responses.EnumerateObject().Where(response => response.Name[0] == '2').ToList();
            if (successes is not [var success])
            {
                lacking.Add($"{method} {path}: one success");
            }
            else if (success.Name != "204" && !HasSchemas(success.Value))
            {
                lacking.Add($"{method} {path}: what {success.Name} returns");
            }

            foreach (var refusal in responses.EnumerateObject().Where(response => response.Name[0] is '4' or '5'))
            {
                if (!(HasSchemas(refusal.Value) && refusal.Value.GetProperty("content").TryGetProperty("application/problem+json", out _)))
                {
                    lacking.Add($"{method} {path}: problem details of {refusal.Name}");
                }
            }

            void Needs(string status, bool isNeeded = true)
            {
                if (isNeeded && !responses.TryGetProperty(status, out _))
                {
                    lacking.Add($"{method} {path}: {status}");
                }
            }
        }

        Assert.Empty(lacking);
    }

    [Fact]
    public void Each_endpoint_of_the_API_is_in_the_document()
    {
        var described = shared.Operations.Select(one => $"{one.Method.ToUpperInvariant()} {one.Path}").ToHashSet();
        var mapped =
            from endpoint in shared.Console.Get<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            let path = "/" + endpoint.RoutePattern.RawText!.TrimStart('/').TrimEnd('/')
            where path.StartsWith("/api/", StringComparison.Ordinal)
            from method in endpoint.Metadata.GetRequiredMetadata<IHttpMethodMetadata>().HttpMethods
            select $"{method} {path}";

        Assert.Equal(described.Order(), mapped.Order());
    }

    [Fact]
    public async Task A_response_to_nonsense_is_one_that_the_document_names()
    {
        var unnamed = new List<string>();
        foreach (
            var (path, method, operation) in shared.Operations.Where(one => IdOf(one.Operation) is not ("SendTestDm" or "FileTestTicket"))
        )
        {
            using var request = new HttpRequestMessage(
                new HttpMethod(method),
                System.Text.RegularExpressions.Regex.Replace(path, @"\{[^}]*\}", "0") + "?from=x&before=x&since=x&state=x&severity=x"
            );
            if (method is not "get")
            {
                request.Content = new StringContent("{", null, "application/json");
            }

            using var answer = await shared.Console.Http.SendAsync(request);
            Assert.NotEqual(HttpStatusCode.InternalServerError, answer.StatusCode);
            if (!operation.GetProperty("responses").TryGetProperty($"{(int)answer.StatusCode}", out _))
            {
                unnamed.Add($"{method} {path}: {(int)answer.StatusCode}");
            }
        }

        Assert.Empty(unnamed);
    }

    private static string IdOf(JsonElement operation) => operation.GetProperty("operationId").GetString()!;

    /// <summary>Not for a sender of alerts or events with a token or signature of its own.</summary>
    private static bool IsForUsers(JsonElement operation) =>
        !IdOf(operation).StartsWith("Send", StringComparison.Ordinal) && IdOf(operation) != "ReceiveFreeScoutEvent"
        || IdOf(operation) == "SendTestDm";

    private static bool HasSchemas(JsonElement response) =>
        response.TryGetProperty("content", out var content)
        && content.EnumerateObject().Any()
        && content.EnumerateObject().All(type => type.Value.TryGetProperty("schema", out var schema) && schema.EnumerateObject().Any());

    public sealed class Shared : IAsyncLifetime
    {
        internal ConsoleHost Console { get; private set; } = null!;

        internal JsonElement Document { get; private set; }

        internal List<(string Path, string Method, JsonElement Operation)> Operations { get; private set; } = [];

        public async Task InitializeAsync()
        {
            Console = await ConsoleHost.StartAsync();
            Document = JsonDocument.Parse(await Console.Http.GetStringAsync(new Uri("/openapi/v1.json", UriKind.Relative))).RootElement;
            Operations =
            [
                .. from path in Document.GetProperty("paths").EnumerateObject()
                from operation in path.Value.EnumerateObject()
                where Methods.Contains(operation.Name)
                select (path.Name, operation.Name, operation.Value),
            ];
        }

        public async Task DisposeAsync() => await Console.DisposeAsync();
    }
}
