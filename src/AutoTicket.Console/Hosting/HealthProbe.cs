using Microsoft.AspNetCore.Http;

namespace AutoTicket.Hosting;

/// <summary>The verb <c>health</c>: whether the console of this machine, or this container, will serve the next request. Containers
/// without a shell have no other way to ask.</summary>
internal static class HealthProbe
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync()
    {
        Uri? address = null;
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, ConnectCallback = HappyEyeballs.ConnectAsync })
        {
            Timeout = Patience,
        };
        try
        {
            address = new Uri(Address(), "/healthz/ready");
            using var answer = await http.GetAsync(address, HttpCompletionOption.ResponseHeadersRead);
            Console.WriteLine($"{address} answered {(int)answer.StatusCode}.");
            return answer.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception failure) when (failure is HttpRequestException or OperationCanceledException or FormatException)
        {
            Console.Error.WriteLine(
                $"{address?.AbsoluteUri ?? "The address in PORT or ASPNETCORE_URLS"} did not answer: {failure.Message}"
            );
            return 1;
        }
    }

    // Only the variables that containers set, of those that Listening reads.
    private static Uri Address()
    {
        if (Environment.GetEnvironmentVariable("PORT") is { Length: > 0 } port)
        {
            return new Uri($"http://127.0.0.1:{port}");
        }

        var first = Environment
            .GetEnvironmentVariable("ASPNETCORE_URLS")
            ?.Split(';', StringSplitOptions.RemoveEmptyEntries)
            .FirstOrDefault();
        var bound = BindingAddress.Parse(first ?? "http://127.0.0.1:5080");
        return new UriBuilder(bound.Scheme, bound.Host is "*" or "+" or "0.0.0.0" or "[::]" ? "127.0.0.1" : bound.Host, bound.Port).Uri;
    }
}
