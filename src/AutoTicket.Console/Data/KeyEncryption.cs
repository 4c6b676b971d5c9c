using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.XmlEncryption;

namespace AutoTicket.Data;

/// <summary>Encrypts the data-protection keys in the database with a key from the environment (AES-256-GCM). Keys that were stored
/// unencrypted stay readable.</summary>
internal sealed class KeyEncryption : IXmlEncryptor, IXmlDecryptor
{
    public const string Variable = "CONSOLE_KEY_ENCRYPTION_KEY";

    private const int Nonce = 12;
    private const int Tag = 16;

    private readonly byte[] _key;

    /// <summary>Data protection calls this to decrypt: it stores the type's name with each key.</summary>
    public KeyEncryption(IServiceProvider services) => _key = services.GetRequiredService<KeyEncryption>()._key;

    /// <exception cref="ConfigurationException">The key is not 32 bytes in Base64.</exception>
    public KeyEncryption(string key)
    {
        _key = new byte[32];
        if (!Convert.TryFromBase64String(key.Trim(), _key, out var length) || length != _key.Length)
        {
            throw new ConfigurationException($"{Variable} must be 32 bytes in Base64, such as the output of `openssl rand -base64 32`.");
        }
    }

    public EncryptedXmlInfo Encrypt(XElement plaintextElement)
    {
        var text = Encoding.UTF8.GetBytes(plaintextElement.ToString(SaveOptions.DisableFormatting));
        var box = new byte[Nonce + Tag + text.Length];
        RandomNumberGenerator.Fill(box.AsSpan(0, Nonce));
        using var aes = new AesGcm(_key, Tag);
        aes.Encrypt(box.AsSpan(0, Nonce), text, box.AsSpan(Nonce + Tag), box.AsSpan(Nonce, Tag));
        return new EncryptedXmlInfo(new XElement("encrypted", Convert.ToBase64String(box)), typeof(KeyEncryption));
    }

    public XElement Decrypt(XElement encryptedElement)
    {
        var box = Convert.FromBase64String(encryptedElement.Value);
        var text = new byte[box.Length - Nonce - Tag];
        using var aes = new AesGcm(_key, Tag);
        aes.Decrypt(box.AsSpan(0, Nonce), box.AsSpan(Nonce + Tag), box.AsSpan(Nonce, Tag), text);
        return XElement.Parse(Encoding.UTF8.GetString(text));
    }
}
