using Microsoft.AspNetCore.Diagnostics;

namespace AutoTicket.Security;

/// <summary>Answers a malformed request with the reason, also in Production. It is no bug, so it logs no ERROR.</summary>
internal sealed class BadRequestHandler : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (exception is not BadHttpRequestException bad)
        {
            return false;
        }

        // The innermost message says where the JSON is wrong; the outer ones name internal types.
        await Results
            .Problem(title: "The request can't be read.", detail: bad.GetBaseException().Message, statusCode: bad.StatusCode)
            .ExecuteAsync(httpContext);
        return true;
    }
}
