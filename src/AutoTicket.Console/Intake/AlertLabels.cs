using System.Text.Json;
using AutoTicket.Alerts;

namespace AutoTicket.Intake;

/// <summary>An alert's labels, told apart by what they are for.</summary>
/// <param name="Identity">Those that say which alert it is.</param>
/// <param name="Variant">Those that don't, as <c>name=value</c> joined by commas.</param>
/// <param name="All">A JSON object, for people to read.</param>
internal sealed record AlertLabels(IReadOnlyDictionary<string, string> Identity, string Variant, string All)
{
    /// <summary>It is kept with every member of an episode.</summary>
    private const int LongestVariant = 200;

    /// <param name="fields">Labels that are fields of the alert by themselves: neither identity nor variant.</param>
    public static AlertLabels Of(IReadOnlyDictionary<string, string> labels, IntakeRules rules, params ReadOnlySpan<string> fields)
    {
        var identity = new Dictionary<string, string>(StringComparer.Ordinal);
        var aside = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var all = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in labels)
        {
            all[name] = AlertText.Strip(value);
            if (rules.IgnoredLabels.Contains(name))
            {
                aside[name] = all[name];
            }
            else if (!fields.Contains(name))
            {
                identity[name] = all[name];
            }
        }

        var variant = AlertText.CutApart(string.Join(',', aside.Select(label => $"{label.Key}={label.Value}")), LongestVariant);
        return new(identity, variant, JsonSerializer.Serialize(all));
    }
}
