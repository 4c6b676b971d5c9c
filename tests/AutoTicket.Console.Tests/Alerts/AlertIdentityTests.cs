using System.Security.Cryptography;
using System.Text;
using AutoTicket.Alerts;

namespace AutoTicket.Tests.Alerts;

/// <summary>The bytes of an alert's identity. A change here gives every open alert a second ticket.</summary>
public sealed class AlertIdentityTests
{
    private static readonly Dictionary<string, string> Labels = new() { ["instance"] = "db1:9100", ["Zone"] = "Köln+" };

    [Fact]
    public void An_identity_is_the_hash_of_its_fields_with_the_labels_in_order() =>
        Same(
            """[1,"prometheus","disk_full","pay",[["Zone","K\u00F6ln\u002B"],["instance","db1:9100"]]]""",
            "5e603bff81af501f87d000291a7dc7fe435e5007c3872e4bffb73b30ed71f2b9",
            AlertIdentity.Of("prometheus", "disk_full", "pay", Labels)
        );

    [Fact]
    public void A_producers_own_id_is_the_last_field_of_the_identity() =>
        Same(
            """[1,"prometheus","disk_full",null,[],"id-7"]""",
            "cf5a7619c023f4b9c98ac034e4e1516550fc82e281621b59f9011b058b89e2cb",
            AlertIdentity.Of("prometheus", "disk_full", null, [], "id-7")
        );

    [Fact]
    public void The_identity_of_a_surfaces_outage_is_its_key_alone() =>
        Same(
            """[1,"console","surface_outage","pay",[]]""",
            "88545e9d50a7c8e2fc29a8e3e14ffaaa9d9f58a2197d0d48bb72bb7eda778207",
            AlertIdentity.OfSurface("pay")
        );

    private static void Same(string bytes, string golden, string identity)
    {
        Assert.Equal(golden, identity);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(bytes))), identity);
    }
}
