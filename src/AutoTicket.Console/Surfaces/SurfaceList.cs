namespace AutoTicket.Surfaces;

/// <summary>The configured surfaces, in the configuration's order.</summary>
internal sealed record SurfaceList(IReadOnlyList<Surface> All)
{
    /// <exception cref="ConfigurationException">A surface is invalid; the message names the variable.</exception>
    public static SurfaceList Read(IConfiguration configuration, StatusOptions status)
    {
        var surfaces = new List<Surface>();
        foreach (
            var section in configuration
                .GetSection("Surfaces")
                .GetChildren()
                .OrderBy(child => int.TryParse(child.Key, out var n) ? n : int.MaxValue)
        )
        {
            var surface = Read(section, status);
            if (surfaces.Any(other => other.Key == surface.Key))
            {
                throw Mistake(section, "Key", $"“{surface.Key}” is used twice; each surface needs its own key");
            }

            surfaces.Add(surface);
        }

        return new SurfaceList(surfaces);
    }

    private static Surface Read(IConfigurationSection section, StatusOptions status)
    {
        Settings.RefuseUnknown(section, [.. typeof(Surface).GetProperties().Select(property => property.Name)]);
        var key = section["Key"] ?? "";
        if (!Surface.IsKey(key))
        {
            throw Mistake(section, "Key", $"must be a slug of a-z, 0-9 and “-”, at most 60 long, but is “{key}”");
        }

        if (
            !Uri.TryCreate(section["Url"], UriKind.Absolute, out var url)
            || url.Scheme is not ("http" or "https")
            || url.UserInfo.Length > 0
        )
        {
            throw Mistake(
                section,
                "Url",
                $"must be an absolute http or https address without user and password, but is “{Redacted(section["Url"])}”"
            );
        }

        var defaults = new Surface
        {
            Key = key,
            Name = key,
            Url = url,
        };
        return defaults with
        {
            Name = section["Name"] is { Length: > 0 } name ? name : key,
            Group = section["Group"] ?? "",
            Method = section["Method"]?.ToUpperInvariant() switch
            {
                null or "" => "GET",
                "GET" or "HEAD" or "POST" or "OPTIONS" => section["Method"]!.ToUpperInvariant(),
                var method => throw Mistake(section, "Method", $"must be GET, HEAD, POST or OPTIONS, but is “{method}”"),
            },
            ExpectedStatus = section["ExpectedStatus"] is { Length: > 0 } codes
                ? StatusCodes.Parse(codes)
                    ?? throw Mistake(section, "ExpectedStatus", $"must be codes and ranges as 200-299,401, but is “{codes}”")
                : StatusCodes.Success,
            ExpectedText = section["ExpectedText"] ?? "",
            Severity = Settings.Read(section, "Severity", defaults.Severity),
            SlowAfter = Duration(section, "SlowAfter", defaults.SlowAfter),
            Timeout = Duration(section, "Timeout", status.ProbeTimeout),
            DownAfter = Count(section, "DownAfter", defaults.DownAfter),
            UpAfter = Count(section, "UpAfter", defaults.UpAfter),
            MaintenanceUntil = section["MaintenanceUntil"] is { Length: > 0 } until
                ? DateTimeOffset.TryParse(
                    until,
                    System.Globalization.CultureInfo.InvariantCulture,
                    System.Globalization.DateTimeStyles.AssumeUniversal,
                    out var time
                )
                    ? time.ToUniversalTime()
                    : throw Mistake(section, "MaintenanceUntil", $"must be a time as 2026-12-24T22:00:00Z, but is “{until}”")
                : null,
        };
    }

    private static TimeSpan Duration(IConfigurationSection section, string name, TimeSpan otherwise) =>
        Settings.Read(section, name, otherwise, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(5));

    /// <summary>At most the readings that the board keeps: a larger number could never be reached.</summary>
    private static int Count(IConfigurationSection section, string name, int otherwise) =>
        Settings.Read(section, name, otherwise, 1, StatusBoard.HistoryLength);

    private static ConfigurationException Mistake(IConfigurationSection section, string name, string problem) =>
        new($"{Settings.Variable(section)}__{name} {problem}.");

    /// <returns>The address without user and password.</returns>
    private static string Redacted(string? url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.UserInfo.Length > 0 ? $"{uri.Scheme}://…@{uri.Host}" : url ?? "";
}
