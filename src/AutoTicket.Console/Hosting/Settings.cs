using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;

namespace AutoTicket.Hosting;

/// <summary>Reads settings. An unusable value becomes a sentence that names the variable, instead of the binder's exception.</summary>
internal static partial class Settings
{
    public const string DurationForms = "a duration such as 500ms, 30s, 5m, 24h or 90d, or such as 00:00:30 with at most 23 hours";

    private static readonly (TimeSpan Length, string Name)[] Units =
    [
        (TimeSpan.FromDays(1), "d"),
        (TimeSpan.FromHours(1), "h"),
        (TimeSpan.FromMinutes(1), "m"),
        (TimeSpan.FromSeconds(1), "s"),
        (TimeSpan.FromMilliseconds(1), "ms"),
    ];

    /// <summary>Switches a duration off whose property may be null.</summary>
    private const string Never = "never";

    /// <exception cref="ConfigurationException">The setting is not a <typeparamref name="T"/>.</exception>
    public static T Read<T>(IConfiguration configuration, string key, T otherwise) =>
        configuration[key] is { Length: > 0 } text ? (T)Convert(typeof(T), configuration.GetSection(key), text)! : otherwise;

    /// <exception cref="ConfigurationException">The setting is not a <typeparamref name="T"/>, or is out of range.</exception>
    public static T Read<T>(IConfiguration configuration, string key, T otherwise, T least, T most)
        where T : IComparable<T>
    {
        var value = Read(configuration, key, otherwise);
        return value.CompareTo(least) >= 0 && value.CompareTo(most) <= 0
            ? value
            : throw new ConfigurationException(
                $"{Variable(configuration.GetSection(key))} must be between {Text(least)} and {Text(most)}, "
                    + $"but is “{configuration[key]}”."
            );
    }

    /// <summary>Registers options that are bound to a section and validated at start. A property with a
    /// <see cref="ConfigurationKeyNameAttribute"/> is bound to that variable instead.</summary>
    public static void AddSettings<TOptions>(this IServiceCollection services, string section)
        where TOptions : class
    {
        services.AddSingleton<IValidateOptions<TOptions>>(new Check<TOptions>(section));
        services
            .AddOptions<TOptions>()
            .ValidateOnStart()
            .Configure<IConfiguration>(
                (options, configuration) =>
                {
                    var properties = typeof(TOptions).GetProperties().Where(property => property.CanWrite).ToLookup(VariableOf);
                    RefuseUnknown(configuration.GetSection(section), [.. properties[null].Select(property => property.Name)]);
                    foreach (var property in properties.SelectMany(properties => properties))
                    {
                        var setting = configuration.GetSection(VariableOf(property) ?? $"{section}:{property.Name}");
                        if (setting.Value is { Length: > 0 } text)
                        {
                            property.SetValue(options, Convert(property.PropertyType, setting, text));
                        }
                    }
                }
            );

        static string? VariableOf(PropertyInfo property) => property.GetCustomAttribute<ConfigurationKeyNameAttribute>()?.Name;
    }

    /// <summary>Refuses a value in quotes, which some readers of an env file leave around it.</summary>
    /// <exception cref="ConfigurationException">It is in quotes. The message does not contain the value.</exception>
    public static void RefuseQuotes(string variable, string? value)
    {
        if (value?.Trim() is ['"', .., '"'] or ['\'', .., '\''])
        {
            throw new ConfigurationException(
                $"{variable} is in quotes. Remove the quotes: docker's --env-file and kubectl's --from-env-file make them part of it."
            );
        }
    }

    /// <summary>Refuses a name that a section of ours does not have, because it must be misspelled.</summary>
    /// <exception cref="ConfigurationException">There is such a name. The message suggests the nearest known one.</exception>
    public static void RefuseUnknown(IConfigurationSection section, params IReadOnlyList<string> known)
    {
        if (section.GetChildren().FirstOrDefault(child => !known.Contains(child.Key, StringComparer.OrdinalIgnoreCase)) is { } unknown)
        {
            var nearest = known.MinBy(name => Distance(name.ToUpperInvariant(), unknown.Key.ToUpperInvariant()));
            throw new ConfigurationException($"{Variable(unknown)} is not a setting. The nearest is {Variable(section)}__{nearest}.");
        }
    }

    /// <summary>The setting's name as an environment variable.</summary>
    public static string Variable(IConfigurationSection setting) => setting.Path.Replace(":", "__", StringComparison.Ordinal);

    /// <summary>A value in the form that the parser accepts: durations such as 30s.</summary>
    public static string Text(object value)
    {
        if (value is not TimeSpan duration)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{value}");
        }

        var unit = Units.FirstOrDefault(unit => duration != TimeSpan.Zero && duration.Ticks % unit.Length.Ticks == 0, Units[3]);
        return string.Create(CultureInfo.InvariantCulture, $"{duration / unit.Length}{unit.Name}");
    }

    /// <summary>Reads a duration as a setting is read.</summary>
    /// <returns>Null: the text is none; <see cref="DurationForms"/> says what is.</returns>
    public static TimeSpan? TryDuration(string text)
    {
        try
        {
            return Duration(text.Trim());
        }
        catch (Exception exception) when (exception is FormatException or OverflowException)
        {
            return null;
        }
    }

    private static object? Convert(Type type, IConfigurationSection setting, string text)
    {
        var isSwitchable = type == typeof(TimeSpan?);
        if (isSwitchable && text.Trim() == Never)
        {
            return null;
        }

        try
        {
            return type == typeof(TimeSpan) || isSwitchable ? Duration(text.Trim())
                // The converter would accept 7 and “P1,P2” as a severity.
                : type.IsEnum && !Enum.GetNames(type).Contains(text.Trim(), StringComparer.OrdinalIgnoreCase) ? throw new FormatException()
                : TypeDescriptor.GetConverter(type).ConvertFromInvariantString(text.Trim())!;
        }
        catch (Exception exception) when (exception is FormatException or OverflowException or ArgumentException)
        {
            var wanted =
                type == typeof(TimeSpan) ? DurationForms
                : isSwitchable ? $"{DurationForms}, or {Never}"
                : type == typeof(bool) ? "true or false"
                : type.IsEnum ? $"one of {string.Join(", ", Enum.GetNames(type))}"
                : "a whole number";
            throw new ConfigurationException($"{Variable(setting)} must be {wanted}, but is “{text}”.");
        }
    }

    /// <exception cref="FormatException">It is no duration. .NET would read 30 as 30 days, and 24:00:00 as 24 days.</exception>
    private static TimeSpan Duration(string text)
    {
        if (CountOfUnits().Match(text) is { Success: true } match)
        {
            var count = double.Parse(match.Groups["count"].Value, CultureInfo.InvariantCulture);
            return count * Units.Single(unit => unit.Name == match.Groups["unit"].Value).Length;
        }

        return text.Count(character => character == ':') == 2
            ? TimeSpan.ParseExact(text, "c", CultureInfo.InvariantCulture)
            : throw new FormatException();
    }

    /// <summary>How many letters must be added or removed to turn one name into the other. A changed letter counts as two, so that a part
    /// of a name is near to it.</summary>
    internal static int Distance(string one, string other)
    {
        var row = Enumerable.Range(0, other.Length + 1).ToArray();
        for (var i = 1; i <= one.Length; i++)
        {
            var diagonal = row[0]++;
            for (var j = 1; j <= other.Length; j++)
            {
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (one[i - 1] == other[j - 1] ? 0 : 2)));
            }
        }

        return row[^1];
    }

    [GeneratedRegex("^(?<count>[0-9]{1,7}(?:[.][0-9]{1,3})?)(?<unit>ms|s|m|h|d)$")]
    private static partial Regex CountOfUnits();

    /// <summary>Validates options. The messages are our sentences alone, without the framework's text around them.</summary>
    private sealed class Check<TOptions>(string section) : IValidateOptions<TOptions>
        where TOptions : class
    {
        public ValidateOptionsResult Validate(string? name, TOptions options)
        {
            var mistakes = (
                from property in typeof(TOptions).GetProperties()
                let range = property.GetCustomAttribute<RangeAttribute>()
                where range is not null && !range.IsValid(property.GetValue(options))
                select $"{section}__{property.Name} must be between {Text(range.Minimum)} and {Text(range.Maximum)}, "
                    + $"but is {Text(property.GetValue(options)!)}."
            ).ToList();
            if (options is IValidatableObject rules)
            {
                mistakes.AddRange(rules.Validate(new ValidationContext(options)).Select(mistake => mistake.ErrorMessage!));
            }

            return mistakes.Count > 0 ? ValidateOptionsResult.Fail(mistakes) : ValidateOptionsResult.Success;
        }
    }
}

/// <summary>A setting can't be used. The start stops with this message, which names the setting and says what to change. It never contains
/// a secret.</summary>
public sealed class ConfigurationException(string message) : Exception(message);
