using Microsoft.AspNetCore.Diagnostics;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Data;

/// <summary>Answers 503 with Retry-After when a request fails because the database is away. Logs a WARNING, no ERROR.</summary>
internal sealed partial class DatabaseOutageHandler(OncePerMinute often, ILogger<DatabaseOutageHandler> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (!Outages.IsOutage(exception))
        {
            return false;
        }

        if (often.Take("database away") is { } requests)
        {
            Log.Refused(logger, requests, httpContext.Request.Path, exception.GetBaseException().Message);
        }

        httpContext.Response.Headers.RetryAfter = "5";
        // Only the API changes anything that a repeat would change again; a form of the pages is the sign-in.
        var next =
            HttpMethods.IsGet(httpContext.Request.Method)
            || HttpMethods.IsHead(httpContext.Request.Method)
            || !httpContext.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase)
                ? "Try again in a moment."
                : "It is not known whether the change was made: look before you repeat it.";
        await Results.Problem(title: $"The console's database can't be reached. {next}", statusCode: 503).ExecuteAsync(httpContext);
        return true;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "request refused, the database can't be reached requests={Requests} path={Path}: {Problem}")]
        public static partial void Refused(ILogger logger, int requests, string path, string problem);
    }
}
