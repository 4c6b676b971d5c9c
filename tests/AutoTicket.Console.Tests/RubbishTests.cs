using System.Net;
using System.Text;

namespace AutoTicket.Tests;

public sealed class RubbishTests
{
    [Theory]
    [InlineData("{\"enabled\": tru")]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{\"enabled\":\"perhaps\",\"reason\":\"because\"}")]
    [InlineData("{\"enabled\":true}")]
    [InlineData("{\"enabled\":true,\"reason\":\"x\"}")]
    [InlineData("{\"enabled\":true,\"reason\":\"because\",\"at\":\"2001-01-01T00:00:00Z\"}")]
    public async Task An_unusable_body_is_refused_with_a_reason_and_changes_nothing(string body)
    {
        await using var console = await ConsoleHost.StartAsync();

        var answer = await console.Http.PutAsync(
            "/api/flags/FLAG_CONSOLE_ALERTS_AUTO_TICKET",
            new StringContent(body, Encoding.UTF8, "application/json")
        );

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        Assert.Contains("\"enabled\":false", await console.Http.GetStringAsync("/api/flags"), StringComparison.Ordinal);
    }
}
