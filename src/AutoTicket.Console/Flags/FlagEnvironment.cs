namespace AutoTicket.Flags;

/// <summary>What the environment says of each flag at start, and what holds when nobody says anything.</summary>
/// <param name="DefaultOn">With the sandbox on, both flags start on.</param>
internal sealed record FlagEnvironment(IReadOnlyDictionary<string, bool?> Values, bool DefaultOn)
{
    /// <exception cref="ConfigurationException">A variable holds something other than 0/false/off or 1/true/on.</exception>
    public static FlagEnvironment Read(IConfiguration configuration, bool defaultOn) =>
        new(
            FlagNames.All.ToDictionary(
                name => name,
                name =>
                    configuration[name]?.Trim().ToLowerInvariant() switch
                    {
                        null or "" => (bool?)null,
                        "0" or "false" or "off" => false,
                        "1" or "true" or "on" => true,
                        _ => throw new ConfigurationException(
                            $"{name} must be 0, false, off, 1, true or on, but is “{configuration[name]}”."
                        ),
                    }
            ),
            defaultOn
        );

    /// <summary>Rule of precedence: the environment's off, else the table's row, else the environment's on, else the default.
    /// So the page can switch off what the environment switched on, and nothing can switch on what it switched off.</summary>
    public (bool Enabled, FlagLayer DecidedBy) Decide(string name, bool? stored) => Decide(Values[name], stored);

    /// <summary>What the environment says of a flag, as the table keeps it.</summary>
    public string? WordOf(string name) =>
        Values[name] switch
        {
            true => "on",
            false => "off",
            null => null,
        };

    /// <summary>What is in force when the environment says <paramref name="word"/>.</summary>
    public bool IsOn(string? word, bool? stored) =>
        Decide(
            word switch
            {
                "on" => true,
                "off" => false,
                _ => null,
            },
            stored
        ).Enabled;

    private (bool Enabled, FlagLayer DecidedBy) Decide(bool? said, bool? stored) =>
        (said, stored) switch
        {
            (false, _) => (false, FlagLayer.Environment),
            (_, { } row) => (row, FlagLayer.Store),
            (true, _) => (true, FlagLayer.Environment),
            _ => (DefaultOn, FlagLayer.Default),
        };
}
