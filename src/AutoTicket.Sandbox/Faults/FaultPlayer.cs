using System.Text;
using Microsoft.AspNetCore.Http;

namespace AutoTicket.Sandbox;

/// <summary>Executes a request, changed by a fault if one applies.</summary>
internal sealed class FaultPlayer(FreeScoutStandIn freeScout, TimeProvider clock, CancellationToken stopping)
{
    private const int HugeChunks = 50 * 16;
    private static readonly byte[] HugeChunk = Encoding.ASCII.GetBytes(new string('x', 64 * 1024));

    /// <param name="removed">Completes when the fault is removed; ends a wait without a delay.</param>
    public async Task PlayAsync(HttpContext context, RecordedRequest request, Fault? fault, Task removed, Func<Answer> act)
    {
        switch (fault?.Kind)
        {
            case null:
                await SendAsync(context, act());
                break;
            case FaultKind.Delay:
                await WaitAsync(fault, removed);
                await SendAsync(context, act());
                break;
            case FaultKind.LateCommit:
                await WaitAsync(fault, removed);
                act();
                await HangAsync(context);
                break;
            case FaultKind.HangAfter:
                act();
                await HangAsync(context);
                break;
            case FaultKind.HangBefore:
                await HangAsync(context);
                break;
            case FaultKind.ResetAfter:
                act();
                Connections.Reset(context);
                break;
            case FaultKind.ResetBefore:
                Connections.Reset(context);
                break;
            case FaultKind.KilledMidway:
                freeScout.LoseThreads(act());
                await Connections.CloseAsync(context, stopping);
                break;
            case FaultKind.CloseAfter:
                act();
                await Connections.CloseAsync(context, stopping);
                break;
            case FaultKind.CloseBefore:
                await Connections.CloseAsync(context, stopping);
                break;
            case FaultKind.TornJson:
                await TearAsync(context, act());
                break;
            case FaultKind.HugeBody:
                act();
                await FloodAsync(context);
                break;
            default:
                if (FaultAnswers.IsAfter(fault.Kind))
                {
                    act();
                }

                await SendAsync(context, FaultAnswers.Of(fault, request));
                break;
        }
    }

    private static Task SendAsync(HttpContext context, Answer answer) => answer.WriteAsync(context.Response, context.RequestAborted);

    // Not canceled by the client: PHP finishes a request whose client has gone.
    private async Task WaitAsync(Fault fault, Task removed) =>
        await (fault.Delay is { } delay ? Task.Delay(delay, clock, stopping) : removed.WaitAsync(stopping));

    private async Task HangAsync(HttpContext context)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        await Task.Delay(Timeout.InfiniteTimeSpan, clock, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        context.Abort();
    }

    // Kestrel sends the partial body, then closes the connection because Content-Length is not met.
    private static async Task TearAsync(HttpContext context, Answer answer)
    {
        var body = answer.Body is { Length: > 1 } ? answer.Body : "{\"id\":1}"u8.ToArray();
        answer.WriteHead(context.Response);
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body.AsMemory(0, body.Length / 2), context.RequestAborted);
    }

    private static async Task FloodAsync(HttpContext context)
    {
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync("{\"padding\":\"", context.RequestAborted);
        for (var i = 0; i < HugeChunks; i++)
        {
            await context.Response.Body.WriteAsync(HugeChunk, context.RequestAborted);
        }

        await context.Response.WriteAsync("\"}", context.RequestAborted);
    }
}
