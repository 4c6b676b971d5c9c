using System.Globalization;
using System.Text;

namespace AutoTicket.Incidents;

/// <summary>A short summary of an incident as plain text, for the note on its ticket.</summary>
internal static class IncidentNote
{
    private const int LongestTitle = 200;

    /// <param name="console">The console's address.</param>
    public static string Of(Incident incident, string console)
    {
        var (summary, note) = (incident.Summary, new StringBuilder());
        note.Append(CultureInfo.InvariantCulture, $"{CleanText.Cut(summary.Title, LongestTitle)}, {summary.Severity}. ");
        note.Append(CultureInfo.InvariantCulture, $"Began {UtcTime.Stamp(incident.BeganAt)}");
        note.Append(
            summary.EndedAt is { } endedAt
                ? $", {(summary.Status == Alerts.AlertStatus.Expired ? "expired" : "recovered")} {UtcTime.Stamp(endedAt)}.\n"
                : ", still open.\n"
        );
        var known = incident.Figures.Where(figure => figure.After is not null).ToList();
        if (known.Count > 0)
        {
            note.Append(
                CultureInfo.InvariantCulture,
                $"{string.Join(", ", known.Select(figure => $"{figure.Name} after {figure.Text}"))}.\n"
            );
        }

        return note.Append(CultureInfo.InvariantCulture, $"Timeline: {console}{summary.Path}").ToString();
    }
}
