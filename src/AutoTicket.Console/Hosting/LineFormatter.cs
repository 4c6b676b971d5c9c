using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace AutoTicket.Hosting;

/// <summary>Logs each event as one line: <c>timestamp LEVEL category message</c>. The runbook greps this form. Control characters are
/// escaped, so no input can forge a line.</summary>
internal sealed class LineFormatter(TimeProvider clock) : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "line";
    public const string Timestamp = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        textWriter.Write(clock.GetUtcNow().UtcDateTime.ToString(Timestamp, CultureInfo.InvariantCulture));
        textWriter.Write(' ');
        textWriter.Write(LevelOf(logEntry.LogLevel));
        textWriter.Write(' ');
        textWriter.Write(logEntry.Category);
        textWriter.Write(' ');
        WriteOneLine(textWriter, logEntry.Formatter(logEntry.State, logEntry.Exception));
        if (logEntry.Exception is { } exception)
        {
            textWriter.Write(' ');
            // For a mistake in the configuration the sentence is enough, without a stack trace.
            WriteOneLine(
                textWriter,
                exception is ConfigurationException or OptionsValidationException ? exception.Message : exception.ToString()
            );
        }

        textWriter.Write('\n');
    }

    private static string LevelOf(LogLevel level) =>
        level switch
        {
            LogLevel.Trace or LogLevel.Debug => "DEBUG",
            LogLevel.Information => "INFO",
            LogLevel.Warning => "WARNING",
            LogLevel.Error => "ERROR",
            _ => "CRITICAL",
        };

    private static void WriteOneLine(TextWriter writer, string text)
    {
        foreach (var character in text)
        {
            switch (character)
            {
                case '\n':
                    writer.Write("\\n");
                    break;
                case '\r':
                    writer.Write("\\r");
                    break;
                case var hidden when HiddenCharacter.Is(hidden):
                    writer.Write($"\\u{(int)character:x4}");
                    break;
                default:
                    writer.Write(character);
                    break;
            }
        }
    }
}
