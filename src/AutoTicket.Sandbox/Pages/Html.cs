using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text;

namespace AutoTicket.Sandbox;

/// <summary>Markup. It can only be created by <see cref="Of"/>, which encodes every value that is not markup.</summary>
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

        // One generic method: with overloads, an array of markup would be treated as a value to encode.
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
