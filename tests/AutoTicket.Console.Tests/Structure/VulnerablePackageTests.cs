using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace AutoTicket.Tests.Structure;

/// <summary>A package with a known vulnerability fails the restore, by the settings of this repository alone.</summary>
public sealed class VulnerablePackageTests
{
    [Fact]
    public async Task A_package_with_a_known_vulnerability_is_not_restored()
    {
        await using var source = WebApplication.CreateSlimBuilder().Build();
        source.Urls.Add("http://127.0.0.1:0");
        source.MapGet(
            "/index.json",
            (HttpRequest request) =>
                Results.Json(
                    new Dictionary<string, object>
                    {
                        ["version"] = "3.0.0",
                        ["resources"] = new[]
                        {
                            new Dictionary<string, string>
                            {
                                ["@id"] = $"http://{request.Host}/vulnerabilities.json",
                                ["@type"] = "VulnerabilityInfo/6.7.0",
                            },
                        },
                    }
                )
        );
        source.MapGet(
            "/vulnerabilities.json",
            (HttpRequest request) =>
                Results.Json(
                    new[]
                    {
                        new Dictionary<string, string>
                        {
                            ["@name"] = "base",
                            ["@id"] = $"http://{request.Host}/base.json",
                            ["@updated"] = "2026-01-01T00:00:00Z",
                        },
                    }
                )
        );
        source.MapGet(
            "/base.json",
            () =>
                Results.Json(
                    new Dictionary<string, object>
                    {
                        ["xunit"] = new[]
                        {
                            new
                            {
                                url = "https://example.org/a-vulnerability",
                                severity = 0,
                                versions = "(, 99.0.0)",
                            },
                        },
                    }
                )
        );
        await source.StartAsync();

        var folder = Directory.CreateTempSubdirectory("autoticket-vulnerabilities-");
        try
        {
            await File.WriteAllTextAsync(
                Path.Combine(folder.FullName, "nuget.config"),
                $"""
                <configuration><auditSources><clear />
                  <add key="vulnerabilities" value="{source.Urls.First()}/index.json" allowInsecureConnections="true" />
                </auditSources></configuration>
                """
            );
            await File.WriteAllTextAsync(
                Path.Combine(folder.FullName, "a.csproj"),
                """<Project Sdk="Microsoft.NET.Sdk"><ItemGroup><PackageReference Include="xunit" /></ItemGroup></Project>"""
            );
            foreach (var props in new[] { "Directory.Build.props", "Directory.Packages.props", "BannedSymbols.txt", "global.json" })
            {
                File.Copy(Path.Combine(ContentRoot.Find(), props), Path.Combine(folder.FullName, props));
            }

            using var restore = Process.Start(
                new ProcessStartInfo("dotnet", ["restore", "-p:RestoreLockedMode=false"])
                {
                    WorkingDirectory = folder.FullName,
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                }
            )!;
            var output = await restore.StandardOutput.ReadToEndAsync();
            await restore.WaitForExitAsync();

            Assert.True(restore.ExitCode != 0, output);
            Assert.Contains("error NU1901", output, StringComparison.Ordinal);
            Assert.Contains("https://example.org/a-vulnerability", output, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
