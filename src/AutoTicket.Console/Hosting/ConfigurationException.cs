namespace AutoTicket.Hosting;

/// <summary>A setting can't be used: the start stops with this message, which names the setting and what to change, and never
/// holds a secret.</summary>
public sealed class ConfigurationException(string message) : Exception(message);
