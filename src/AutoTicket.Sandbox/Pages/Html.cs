using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text;

namespace AutoTicket.Sandbox;

/// <summary>Markup. The only way to make one is <see cref="Of"/>, which encodes every hole that is not markup itself.</summary>
internal sealed class Html
{
    private readonly string _markup;

    private Html(string markup) => _markup = markup;

    public static Html Of(ref Writer markup) => new(markup.ToString());

    public override string ToString() => _markup;

    [InterpolatedStringHandler]
    public readonly ref struct Writer(int literalLength, int formattedCount)
    {
        private readonly StringBuilder _text = new(literalLength + (formattedCount * 32));

        public void AppendLiteral(string markup) => _text.Append(markup);

        // One method for all: overloads would take an array of markup for a value to be encoded.
        public void AppendFormatted<T>(T value) =>
            _ = value switch
            {
                Html html => _text.Append(html._markup),
                IEnumerable<Html> several => _text.AppendJoin("", several),
                DateTimeOffset date => _text.Append(date.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture)),
                _ => _text.Append(WebUtility.HtmlEncode(Convert.ToString(value, CultureInfo.InvariantCulture))),
            };

        public override string ToString() => _text.ToString();
    }
}
