namespace AutoTicket.FreeScout;

/// <summary>Reads the whole response, up to <see cref="Limit"/>, inside the resilience pipeline, so that a truncated or endless body counts
/// as a failure.</summary>
internal sealed class AnswerReader : DelegatingHandler
{
    /// <summary>In bytes. A page of 100 conversations with tags takes about a tenth of it.</summary>
    public const int Limit = 2 * 1024 * 1024;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken);
        try
        {
            var body = new MemoryStream();
            await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            var buffer = new byte[16 * 1024];
            int read;
            while ((read = await stream.ReadAsync(buffer, cancellationToken)) > 0)
            {
                if (body.Length + read > Limit)
                {
                    throw new OversizedAnswerException();
                }

                body.Write(buffer, 0, read);
            }

            var content = new ByteArrayContent(CleanText.Json(body.GetBuffer().AsSpan(0, (int)body.Length)));
            content.Headers.ContentType = response.Content.Headers.ContentType;
            response.Content = content;
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }
}

/// <summary>The response is larger than <see cref="AnswerReader.Limit"/>.</summary>
internal sealed class OversizedAnswerException() : Exception($"more than {AnswerReader.Limit / 1024 / 1024} MB");
