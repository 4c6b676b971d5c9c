namespace AutoTicket.Sandbox;

/// <summary>The responses of faults that return one.</summary>
internal static class FaultAnswers
{
    public static bool IsAfter(FaultKind kind) =>
        kind is FaultKind.StatusAfter or FaultKind.BlankOk or FaultKind.NoId or FaultKind.WrongJson;

    public static Answer Of(Fault fault, RecordedRequest request)
    {
        var answer = fault.Kind switch
        {
            FaultKind.Status or FaultKind.StatusAfter => Answer.Text(
                fault.StatusCode ?? 500,
                fault.Body ?? """{"message":"Server Error"}"""
            ),
            FaultKind.BlankOk => new Answer(200, "text/html; charset=utf-8"),
            FaultKind.NoId => new Answer(201, "text/html; charset=utf-8"),
            FaultKind.WrongJson => Answer.Text(200, fault.Body ?? "[]") with { ContentType = "application/json" },
            FaultKind.HtmlLogin => Answer.Html(200, fault.Body ?? LogInPage),
            FaultKind.Redirect => Answer.Redirect(302, "/login"),
            FaultKind.Unauthorized => Answer.Text(401, fault.Body ?? """{"message":"Not Authorized"}"""),
            FaultKind.Forbidden => Answer.Text(403, fault.Body ?? """{"message":"Forbidden"}"""),
            FaultKind.RateLimited => Answer.Text(
                429,
                fault.Body ?? """{"ok":false,"error":"ratelimited","message":"Too Many Attempts."}"""
            ),
            FaultKind.ModuleOff => ModuleOff(request),
            FaultKind.ModuleOffHtml => Answer.Html(404, NotFoundPage),
            _ => throw new InvalidOperationException($"{fault.Kind} is not an answer."),
        };

        return fault.RetryAfter is { } seconds ? answer.With("Retry-After", $"{seconds}") : answer;
    }

    /// <summary>The 404 of FreeScout's core under <c>/api</c> without the API module.</summary>
    public static Answer ModuleOff(RecordedRequest request) =>
        request.Header("Accept")?.Contains("json", StringComparison.OrdinalIgnoreCase) == true
            ? Answer.Text(404, """{"message":""}""")
            : Answer.Html(404, NotFoundPage);

    private const string LogInPage =
        "<!DOCTYPE html><html><head><title>Login - FreeScout</title></head><body>"
        + "<form method=\"POST\" action=\"/login\"><input name=\"email\"></form></body></html>";

    private const string NotFoundPage =
        "<!DOCTYPE html><html><head><title>Page not found</title></head><body><h1>404</h1><p>Page not found</p></body></html>";
}
