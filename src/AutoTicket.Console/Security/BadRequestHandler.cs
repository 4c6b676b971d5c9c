using Microsoft.AspNetCore.Diagnostics;

namespace AutoTicket.Security;

/// <summary>A request that can't be read is told why, in Development as in Production; it is no bug and no ERROR.</summary>
internal sealed class BadRequestHandler : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (exception is not BadHttpRequestException bad)
        {
            return false;
        }

        // The innermost message says where the JSON breaks; the outer ones name our own types.
        await Results
            .Problem(title: "The request can't be read.", detail: bad.GetBaseException().Message, statusCode: bad.StatusCode)
            .ExecuteAsync(httpContext);
        return true;
    }
}
