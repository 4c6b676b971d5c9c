using System.Text;
using AutoTicket.Intake;

namespace AutoTicket.Tests.Alerts;

public sealed class AlertSplitterTests
{
    [Theory]
    [InlineData("[]")]
    [InlineData(" [ ] \n")]
    [InlineData("[1]", "1")]
    [InlineData("[{\"a\":1},{\"b\":[1,2]} , \"x\"]", "{\"a\":1}", "{\"b\":[1,2]}", "\"x\"")]
    [InlineData("[{\"a\":\"]},{[\\\"\"},null]", "{\"a\":\"]},{[\\\"\"}", "null")]
    [InlineData("[{\"a\":NaN},{}]", "{\"a\":NaN}", "{}")]
    [InlineData("{\"a\":[]}", "{\"a\":[]}")]
    public void An_array_is_split_whatever_its_elements_hold(string json, params string[] elements) =>
        Assert.Equal(
            elements,
            AlertSplitter.Elements(Encoding.UTF8.GetBytes(json), mayBeOne: true)!.Select(element => Encoding.UTF8.GetString(element.Span))
        );

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    [InlineData("NaN")]
    [InlineData("\"text\"")]
    [InlineData("[")]
    [InlineData("[1")]
    [InlineData("[1,")]
    [InlineData("[1,]")]
    [InlineData("[,1]")]
    [InlineData("[1 2]")]
    [InlineData("[1] x")]
    [InlineData("[] x")]
    [InlineData("[{\"a\":1]")]
    [InlineData("[\"x]")]
    [InlineData("[\"x\\\"]")]
    [InlineData("{\"a\":1")]
    [InlineData("{\"a\":1}{\"a\":1}")]
    [InlineData("severity=P1&name=x")]
    public void A_text_that_is_no_array_is_not_split(string json) =>
        Assert.Null(AlertSplitter.Elements(Encoding.UTF8.GetBytes(json), mayBeOne: true));

    [Fact]
    public void An_object_is_refused_where_an_array_is_required() => Assert.Null(AlertSplitter.Elements("{}"u8.ToArray(), mayBeOne: false));

    [Theory]
    [InlineData("{\"alerts\":[1]}", "[1]")]
    [InlineData(" { \"version\" : \"4\", \"x\":{\"alerts\":2} , \"alerts\" : [ {} ] , \"y\":1}", "[ {} ]")]
    [InlineData("{\"version\":\"4\"}", null)]
    [InlineData("{\"alerts\"}", null)]
    [InlineData("{\"alerts\":", null)]
    [InlineData("{alerts:[]}", null)]
    [InlineData("{}", null)]
    [InlineData("[]", null)]
    [InlineData("", null)]
    public void A_member_is_found_or_not(string json, string? member) =>
        Assert.Equal(
            member,
            AlertSplitter.Member(Encoding.UTF8.GetBytes(json), "alerts"u8) is { } found ? Encoding.UTF8.GetString(found.Span) : null
        );

    [Fact]
    public void Four_megabytes_of_brackets_are_split_quickly()
    {
        var json = new byte[4 * 1024 * 1024];
        json.AsSpan().Fill((byte)'[');
        Assert.Null(AlertSplitter.Elements(json, mayBeOne: true));

        for (var i = 0; i < json.Length; i++)
        {
            json[i] =
                i == 0 ? (byte)'['
                : i % 2 == 0 ? (byte)','
                : (byte)'1';
        }

        Assert.Equal(AlertSplitter.MostAlerts + 1, AlertSplitter.Elements(json, mayBeOne: true)!.Count);
    }
}
