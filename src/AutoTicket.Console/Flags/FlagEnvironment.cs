namespace AutoTicket.Flags;

/// <summary>The environment's values of the flags at start, and the rule of precedence.</summary>
/// <param name="Values">By flag name; null: the variable is not set.</param>
/// <param name="DefaultOn">The default of both flags: on with the sandbox, off without.</param>
internal sealed record FlagEnvironment(IReadOnlyDictionary<string, bool?> Values, bool DefaultOn)
{
    /// <exception cref="ConfigurationException">A variable is neither 0/false/off nor 1/true/on.</exception>
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

    /// <summary>Precedence: the environment's off, then the table's row, then the environment's on, then the default. So the page can
    /// switch off a flag that the environment switched on, but never switch on a flag that it switched off.</summary>
    public (bool Enabled, FlagLayer DecidedBy) Decide(string name, bool? stored) => Decide(Values[name], stored);

    /// <returns>The environment's value as the table stores it.</returns>
    public string? WordOf(string name) =>
        Values[name] switch
        {
            true => "on",
            false => "off",
            null => null,
        };

    /// <returns>The effective value for the environment's value <paramref name="word"/>.</returns>
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
