using System.Security.Cryptography;
using System.Text;

namespace AutoTicket.FreeScout;

/// <summary>FreeScout's webhook signature: <c>X-FreeScout-Signature</c> is the base64 of HMAC-SHA1 over the body's bytes, keyed by the
/// secret as text.</summary>
internal static class WebhookSignature
{
    public const string Header = "X-FreeScout-Signature";

    /// <returns>The signature's bytes; null: it is missing or malformed.</returns>
    public static byte[]? Read(string? header)
    {
        var given = new byte[HMACSHA1.HashSizeInBytes];
        return Convert.TryFromBase64String(header?.Trim() ?? "", given, out var length) && length == given.Length ? given : null;
    }

    /// <returns>A hash that takes the body in chunks, so that the body need not be kept.</returns>
    public static IncrementalHash Begin(string secret) =>
        IncrementalHash.CreateHMAC(HashAlgorithmName.SHA1, Encoding.UTF8.GetBytes(secret));

    /// <summary>Compares in constant time.</summary>
    public static bool Matches(IncrementalHash body, ReadOnlySpan<byte> signature) =>
        CryptographicOperations.FixedTimeEquals(signature, body.GetHashAndReset());
}
