using System.Text;
using AutoTicket.FreeScout;
using AutoTicket.Sandbox;

namespace AutoTicket.Tests.FreeScout;

/// <summary>What is not FreeScout's API answers at its address: nothing is believed, followed or read without an end.</summary>
public sealed class FreeScoutAnswersTests
{
    private static readonly ConversationDraft Draft = new("Checkout is down [at-0123456789]", "<p>503</p>");

    [Theory]
    [Trait("Pitfall", "T-31")]
    [InlineData("HTTP/1.1 200 OK\nContent-Type: application/json\n\n[\"")]
    [InlineData("HTTP/1.1 500 Oh no\nContent-Type: text/html\n\n<html>")]
    [InlineData("HTTP/1.1 200 OK\nContent-Type: application/json\nTransfer-Encoding: chunked\n\nFFFFFFF\n")]
    public async Task A_body_without_an_end_is_read_to_a_limit(string head)
    {
        await using var server = new RawServer(head.ReplaceLineEndings("\r\n"), Encoding.ASCII.GetBytes(new string('x', 64 * 1024)));
        await using var console = await StartAsync(server.Url);

        var failure = (await console.Get<FreeScoutClient>().CreateAsync(Draft, () => true, default)).Failure!;

        Assert.Equal((FreeScoutFailureKind.BadAnswer, true), (failure.Kind, failure.MayHaveCreated));
        await Eventually.TrueAsync(() => server.IsIdle, "the client leaves");
        // What was read, and what the kernel's buffers held when the client left; each request of the sync is one more.
        Assert.InRange(server.Sent / server.Requests, 0, AnswerReader.Limit + (14 * 1024 * 1024));
    }

    [Theory]
    [Trait("Pitfall", "T-31")]
    [InlineData("301 Moved")]
    [InlineData("302 Found")]
    [InlineData("303 See other")]
    [InlineData("307 Temporary")]
    [InlineData("308 Permanent")]
    public async Task No_redirect_is_followed_with_the_key(string status)
    {
        await using var other = new RawServer("HTTP/1.1 200 OK\nContent-Length: 2\nContent-Type: application/json\n\n{}");
        await using var server = new RawServer($"HTTP/1.1 {status}\nLocation: {other.Url}\nContent-Length: 0\nConnection: close\n\n");
        await using var console = await StartAsync(server.Url);
        var client = console.Get<FreeScoutClient>();

        var get = (await client.FindAsync(7, default)).Failure!;
        var post = (await client.CreateAsync(Draft, () => true, default)).Failure!;

        Assert.Equal((FreeScoutFailureKind.BadAnswer, FreeScoutFailureKind.BadAnswer), (get.Kind, post.Kind));
        Assert.Contains("FREESCOUT_BASE_URL", get.Message, StringComparison.Ordinal);
        Assert.Equal(0, other.Requests);
    }

    [Fact]
    public async Task A_created_without_the_header_is_read_from_its_location()
    {
        await using var server = new RawServer("HTTP/1.1 201 Created\nLocation: /api/conversations/4711\nContent-Length: 0\nConnection: close\n\n");
        await using var console = await StartAsync(server.Url);

        Assert.Equal(4711, (await console.Get<FreeScoutClient>().CreateAsync(Draft, () => true, default)).Value!.Id);
    }

    [Fact]
    public async Task What_the_far_side_says_is_told_on_one_short_line_and_the_key_is_in_no_log()
    {
        await using var driver = await InvestigateDriver.StartAsync();
        driver.Sandbox.Faults.Add(new Fault(FaultKind.Status)
        {
            Match = FaultMatch.FreeScoutCreate,
            StatusCode = 422,
            Body = $$"""{"message":"a\r\nERROR forged line {{new string('x', 5000)}}"}""",
        });

        var click = await driver.ClickAsync();

        Assert.InRange(click.Message.Length, 1, 300);
        Assert.DoesNotContain(click.Message, char.IsControl);
        Assert.All(driver.Console.Log, line =>
        {
            Assert.DoesNotContain(driver.FreeScout.ApiKey, line, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', line);
        });
    }

    /// <summary>The sandbox keeps a FreeScout in a subdirectory, so that every test with it is one of that.</summary>
    private static Task<ConsoleHost> StartAsync(Uri freeScout) =>
        ConsoleHost.StartAsync(settings: new Dictionary<string, string?> { ["FREESCOUT_BASE_URL"] = freeScout.AbsoluteUri, ["FreeScout:RetryDelay"] = "00:00:00.02", ["FreeScout:CallTimeout"] = "00:00:20" });
}
