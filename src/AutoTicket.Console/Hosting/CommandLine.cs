namespace AutoTicket.Hosting;

/// <summary>The command line: a verb, and settings in the forms that .NET reads.</summary>
internal static class CommandLine
{
    public static readonly string Version = $"AutoTicket Console {ProductVersion.Full}";

    public static readonly string Help = $"""
        {Version}

        Usage: AutoTicket.Console [migrate] [--Setting=value ...]
               AutoTicket.Console health | hash-password

          (no verb)        Starts the console.
          migrate          Brings the database's schema up to date and ends.
          health           Asks the console at PORT or ASPNETCORE_URLS whether it is ready. Exit code 1: it is not.
          hash-password    Reads a password from standard input and prints its hash as the last line.
          --help           Prints this text.
          --version        Prints the version.

        Settings are environment variables, such as DATABASE_URL or Surfaces__0__Url. docs/configuration.md lists them.
        Exit codes: 0 it worked; 1 it did not, and the last line says why; 2 the command line can't be used.
        """;

    /// <summary>The first argument that is neither a setting nor its value; null: none. .NET would ignore it.</summary>
    public static string? Unknown(IReadOnlyList<string> settings)
    {
        for (var i = 0; i < settings.Count; i++)
        {
            var isOption = settings[i] is ['-', '-', ..] or ['/', ..];
            if (settings[i].Contains('=', StringComparison.Ordinal) && (isOption || settings[i][0] != '-'))
            {
                continue;
            }

            if (!isOption || i + 1 == settings.Count)
            {
                return settings[i];
            }

            i++;
        }

        return null;
    }
}
