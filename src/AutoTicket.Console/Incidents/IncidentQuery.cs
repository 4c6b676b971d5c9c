using AutoTicket.Surfaces;

namespace AutoTicket.Incidents;

/// <summary>Which incidents to list, newest first.</summary>
/// <param name="IsOpen">The open ones, or the ended ones.</param>
/// <param name="Group">Only those of the surfaces of this group.</param>
/// <param name="Since">Only those opened at this time or later.</param>
/// <param name="Until">Only those opened at this time or earlier.</param>
/// <param name="Before">Only those older than the incident of this row: the page after the one that ended with it.</param>
public sealed record IncidentQuery(
    bool IsOpen = true,
    string? Surface = null,
    string? Group = null,
    Severity? Severity = null,
    DateTimeOffset? Since = null,
    DateTimeOffset? Until = null,
    long? Before = null
);
