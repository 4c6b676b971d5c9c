using Microsoft.AspNetCore.Components.Web;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Data;

/// <summary>Logs the exception that stopped a page: a WARNING if the database is away, otherwise an ERROR.</summary>
internal sealed partial class OutageAwareErrorLogger(ILogger<OutageAwareErrorLogger> logger) : IErrorBoundaryLogger
{
    public ValueTask LogErrorAsync(Exception exception)
    {
        if (Outages.IsOutage(exception))
        {
            Log.Stopped(logger, exception.GetBaseException().Message);
        }
        else
        {
            Log.Failed(logger, exception);
        }

        return ValueTask.CompletedTask;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "page stopped, the database can't be reached: {Problem}")]
        public static partial void Stopped(ILogger logger, string problem);

        [LoggerMessage(LogLevel.Error, "page failed")]
        public static partial void Failed(ILogger logger, Exception exception);
    }
}
