using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace AutoTicket;

/// <summary>Reads settings so that nonsense becomes a sentence that names the variable, not an exception of the binder.</summary>
internal static class Settings
{
    /// <exception cref="ConfigurationException">The setting can't be read as what it is to be.</exception>
    public static T Read<T>(IConfiguration configuration, string key, T otherwise) =>
        configuration[key] is { Length: > 0 } text ? (T)Convert(typeof(T), configuration.GetSection(key), text) : otherwise;

    /// <summary>Options of one section, bound, checked, and checked at start.</summary>
    public static void AddSettings<TOptions>(this IServiceCollection services, string section, Action<TOptions, IConfiguration>? more = null) where TOptions : class, IValidatableObject =>
        services.AddSingleton<IValidateOptions<TOptions>, Check<TOptions>>().AddOptions<TOptions>().Configure<IConfiguration>((options, configuration) =>
        {
            foreach (var property in typeof(TOptions).GetProperties().Where(property => property.CanWrite))
            {
                var setting = configuration.GetSection(section).GetSection(property.Name);
                if (setting.Value is { Length: > 0 } text)
                {
                    property.SetValue(options, Convert(property.PropertyType, setting, text));
                }
            }

            more?.Invoke(options, configuration);
        }).ValidateOnStart();

    /// <summary>The setting's name as an environment variable.</summary>
    public static string Variable(IConfigurationSection setting) => setting.Path.Replace(":", "__", StringComparison.Ordinal);

    private static object Convert(Type type, IConfigurationSection setting, string text)
    {
        try
        {
            return TypeDescriptor.GetConverter(type).ConvertFromInvariantString(text)!;
        }
        catch (Exception exception) when (exception is FormatException or ArgumentException)
        {
            var wanted = type == typeof(TimeSpan) ? "a duration as 00:00:30" : type == typeof(bool) ? "true or false"
                : type.IsEnum ? $"one of {string.Join(", ", Enum.GetNames(type))}" : "a whole number";
            throw new ConfigurationException($"{Variable(setting)} must be {wanted}, but is “{text}”.");
        }
    }

    /// <summary>The options' own sentences, without the words that the framework would put around them.</summary>
    private sealed class Check<TOptions> : IValidateOptions<TOptions> where TOptions : class, IValidatableObject
    {
        public ValidateOptionsResult Validate(string? name, TOptions options) =>
            options.Validate(new ValidationContext(options)).Select(mistake => mistake.ErrorMessage!).ToList() is { Count: > 0 } mistakes
                ? ValidateOptionsResult.Fail(mistakes) : ValidateOptionsResult.Success;
    }
}
