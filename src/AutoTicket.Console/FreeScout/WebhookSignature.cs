using System.Security.Cryptography;
using System.Text;

namespace AutoTicket.FreeScout;

/// <summary>How FreeScout signs what it sends: <c>X-FreeScout-Signature</c> is the base64 of HMAC-SHA1 over the body's bytes, with its
/// secret key as text.</summary>
internal static class WebhookSignature
{
    public const string Header = "X-FreeScout-Signature";

    /// <summary>Compares in constant time.</summary>
    public static bool Matches(string secret, ReadOnlySpan<byte> body, string? signature)
    {
        Span<byte> given = stackalloc byte[HMACSHA1.HashSizeInBytes];
        if (!Convert.TryFromBase64String(signature?.Trim() ?? "", given, out var length) || length != given.Length)
        {
            return false;
        }

#pragma warning disable CA5350 // it is what FreeScout uses
        return CryptographicOperations.FixedTimeEquals(given, HMACSHA1.HashData(Encoding.UTF8.GetBytes(secret), body));
#pragma warning restore CA5350
    }
}
