using AutoTicket.Components.Maintenance;

namespace AutoTicket.Components.Alerts;

/// <summary>Snoozes the alert with a key, and ends its snooze. Both return why it was refused; null when it was not.</summary>
public sealed record SnoozeActions(Func<string, MuteRequest, Task<string?>> OnMute, Func<string, Task<string?>> OnEnd);
