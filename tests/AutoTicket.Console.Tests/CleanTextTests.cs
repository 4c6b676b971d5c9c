using System.Text;
using System.Text.Json;

namespace AutoTicket.Tests;

public sealed class CleanTextTests
{
    [Fact]
    public void Characters_that_cannot_be_stored_are_replaced() =>
        Assert.Equal(
            ["", "shop 😀 ü", "a b", "\uFFFD", "\uFFFD\uFFFD 😀", "\uFFFD😀"],
            new[] { "", "shop 😀 ü", "a\0b", "\ud83d", "\ude00\ud83d 😀", "\ud83d\ud83d\ude00" }.Select(CleanText.Of)
        );

    [Fact]
    public void A_cut_splits_no_surrogate_pair()
    {
        Assert.Equal(["", "😀", "😀x", "😀x"], new[] { 1, 2, 3, 4 }.Select(longest => CleanText.Cut("😀x", longest)));
    }

    [Theory]
    [InlineData(@"\ud83d\ude00", @"\ud83d\ude00")]
    [InlineData(@"\ud83d", @"\uFFFD")]
    [InlineData(@"\ude00\ud83d", @"\uFFFD\uFFFD")]
    [InlineData(@"\ud83d\ud83d\ude00", @"\uFFFD\ud83d\ude00")]
    [InlineData(@"\ud800\udc00\udbff\udfff", @"\ud800\udc00\udbff\udfff")]
    [InlineData(@"\ud7ff\ue000", @"\ud7ff\ue000")]
    [InlineData(@"\ud800.\udbff.\udc00.\udfff", @"\uFFFD.\uFFFD.\uFFFD.\uFFFD")]
    [InlineData(@"\\ud83d", @"\\ud83d")]
    [InlineData(@"\n\ud8", @"\n\ud8")]
    [InlineData(@"\u00e9\", @"\u00e9\")]
    [InlineData(@"a\u0000b\\u0000\u00000", @"a\u0020b\\u0000\u00200")]
    public void JSON_escapes_that_cannot_be_stored_are_replaced_in_place(string json, string mended)
    {
        var bytes = Encoding.UTF8.GetBytes(json);
        CleanText.MendEscapes(bytes);

        Assert.Equal(mended, Encoding.UTF8.GetString(bytes));
    }

    [Theory]
    [InlineData("{\"a\":\"\\ud83d\"}", "\uFFFD")]
    [InlineData("{\"a\":\"x\\u0000y\"}", "x y")]
    public void A_string_of_cleaned_json_can_be_read(string json, string value) => Assert.Equal(value, Read(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void Bytes_that_are_not_utf_8_become_replacement_characters() =>
        Assert.Equal("\uFFFDx", Read([.. "{\"a\":\""u8, 0xff, .. "x\"}"u8]));

    private static string? Read(byte[] json) => JsonSerializer.Deserialize<JsonElement>(CleanText.Json(json)).GetProperty("a").GetString();
}
