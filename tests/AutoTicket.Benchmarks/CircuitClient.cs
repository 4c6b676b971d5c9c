using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.RegularExpressions;

namespace AutoTicket.Benchmarks;

/// <summary>An open page without a browser, because hundreds of browser pages would measure the browser. It loads the page, starts its
/// circuit over a WebSocket and acknowledges what the server renders, like blazor.web.js.</summary>
internal sealed partial class CircuitClient : IAsyncDisposable
{
    /// <summary>The server closes a circuit whose page is silent for 30 s.</summary>
    private static readonly TimeSpan PingEvery = TimeSpan.FromSeconds(10);

    private readonly HttpMessageInvoker _http;
    private readonly ClientWebSocket _socket = new();
    private readonly CancellationTokenSource _closing = new();
    private readonly SemaphoreSlim _sending = new(1);
    private Task _receiving = Task.CompletedTask;
    private (byte[] Text, TaskCompletionSource<long> Arrived)? _awaited;
    private long _received;
    private long _sentAt = Stopwatch.GetTimestamp();

    private CircuitClient() =>
        _http = new(
            new SocketsHttpHandler
            {
                UseProxy = false,
                ConnectCallback = async (context, stop) =>
                {
                    var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                    await socket.ConnectAsync(context.DnsEndPoint, stop);
                    return new CountedStream(socket, count => Interlocked.Add(ref _received, count));
                },
            }
        );

    /// <summary>Bytes on the wire so far, compressed as for a browser.</summary>
    public long Received => Interlocked.Read(ref _received);

    /// <summary>Opens a page and returns when its circuit has rendered a text.</summary>
    public static async Task<CircuitClient> OpenAsync(HttpClient http, Uri page, string text)
    {
        var html = await http.GetStringAsync(page);
        var client = new CircuitClient();
        try
        {
            // As browsers do.
            client._socket.Options.DangerousDeflateOptions = new();
            client._socket.Options.SetRequestHeader("Origin", page.GetLeftPart(UriPartial.Authority));
            await client._socket.ConnectAsync(
                new UriBuilder(page)
                {
                    Scheme = "ws",
                    Path = "/_blazor",
                    Query = "",
                }.Uri,
                client._http,
                default
            );
            await client._socket.SendAsync(
                "{\"protocol\":\"blazorpack\",\"version\":1}\u001e"u8.ToArray(),
                WebSocketMessageType.Text,
                true,
                default
            );
            var rendered = client.ArrivesAsync(text);
            client._receiving = client.ReceiveAsync();
            var markers = Marker().Matches(html).Select(match => match.Groups[1].Value).ToList();
            var state = State().Match(html).Groups[1].Value;
            await client.CallAsync("StartCircuit", "1", $"{page.GetLeftPart(UriPartial.Authority)}/", page.AbsoluteUri, "[]", state);
            var operations = markers.Select((marker, n) => $$"""{"type":"add","ssrComponentId":{{n + 1}},"marker":{{marker}}}""");
            await client.CallAsync(
                "UpdateRootComponents",
                null,
                $$"""{"batchId":1,"operations":[{{string.Join(',', operations)}}]}""",
                state
            );
            await (await Task.WhenAny(rendered, client._receiving).WaitAsync(TimeSpan.FromSeconds(30)));
            return client;
        }
        catch
        {
            await client.DisposeAsync();
            throw;
        }
    }

    /// <summary>When the next render that contains the text arrives, as a timestamp of <see cref="Stopwatch"/>.</summary>
    public Task<long> ArrivesAsync(string text)
    {
        var arrived = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        _awaited = (Encoding.UTF8.GetBytes(text), arrived);
        return arrived.Task;
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _receiving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _socket.Dispose();
        _http.Dispose();
        _closing.Dispose();
        _sending.Dispose();
    }

    private async Task ReceiveAsync()
    {
        var buffer = new byte[16 * 1024];
        var (length, hasBegun) = (0, false);
        while (true)
        {
            if (length == buffer.Length)
            {
                Array.Resize(ref buffer, length * 2);
            }

            var part = await _socket.ReceiveAsync(buffer.AsMemory(length), _closing.Token);
            length += part.Count;
            if (!part.EndOfMessage)
            {
                continue;
            }

            // The response to the handshake is JSON.
            var at = hasBegun ? 0 : Array.IndexOf(buffer, (byte)0x1e, 0, length) + 1;
            hasBegun = true;
            while (at < length)
            {
                var (size, shift) = (0, 0);
                byte digit;
                do
                {
                    digit = buffer[at++];
                    size |= (digit & 0x7f) << shift;
                    shift += 7;
                } while (digit > 0x7f);
                await AnswerAsync(buffer.AsMemory(at, size));
                at += size;
            }

            length = 0;
        }
    }

    private Task AnswerAsync(ReadOnlyMemory<byte> message)
    {
        var reader = new MessagePack(message);
        return reader.Read() is not object?[] parts ? throw new InvalidDataException("The server sent no message.")
            : parts is [1L, _, _, "JS.RenderBatch", object?[] and [long batch, ReadOnlyMemory<byte> content], ..]
                ? RenderedAsync(batch, content)
            : parts is [1L, _, _, "JS.BeginInvokeJS", object?[] and [long call, string name, ..], ..] ? ReturnAsync(call, name)
            : parts is [1L, _, _, "JS.Error", object?[] and [string error], ..] ? throw new InvalidOperationException(error)
            : parts is [3L, _, _, 1L, string refusal] ? throw new InvalidOperationException(refusal)
            : parts is [6L] && Measure.Since(_sentAt) > PingEvery.TotalMilliseconds ? SendAsync([6L])
            : parts is [7L, ..] ? throw new InvalidOperationException("The server closed the circuit.")
            : Task.CompletedTask;
    }

    private Task RenderedAsync(long batch, ReadOnlyMemory<byte> content)
    {
        if (_awaited is var (text, arrived) && content.Span.IndexOf(text) >= 0)
        {
            _awaited = null;
            arrived.SetResult(Stopwatch.GetTimestamp());
        }

        return CallAsync("OnRenderCompleted", null, batch, null);
    }

    private Task ReturnAsync(long call, string name)
    {
        var result = name switch
        {
            "mudThemeProvider.isDarkMode" or "window.hasOwnProperty" => "true",
            "mudpopoverHelper.countProviders" => "1",
            _ => "null",
        };
        return call is 0 ? Task.CompletedTask : CallAsync("EndInvokeJSFromDotNet", null, call, true, $"[{call},true,{result}]");
    }

    private Task CallAsync(string method, string? id, params object?[] arguments) =>
        SendAsync([1L, MessagePack.NoHeaders, id, method, arguments]);

    private async Task SendAsync(object?[] message)
    {
        await _sending.WaitAsync(_closing.Token);
        try
        {
            _sentAt = Stopwatch.GetTimestamp();
            await _socket.SendAsync(MessagePack.Write(message), WebSocketMessageType.Binary, true, _closing.Token);
        }
        finally
        {
            _sending.Release();
        }
    }

    [GeneratedRegex("<!--Blazor:(\\{\"type\":\"server\".*?\\})-->")]
    private static partial Regex Marker();

    [GeneratedRegex("<!--Blazor-Server-Component-State:(.*?)-->")]
    private static partial Regex State();

    private sealed class CountedStream(Socket socket, Action<int> onRead) : NetworkStream(socket, ownsSocket: true)
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = await base.ReadAsync(buffer, cancellationToken);
            onRead(count);
            return count;
        }
    }

    /// <summary>The part of MessagePack that Blazor's messages use.</summary>
    private sealed class MessagePack(ReadOnlyMemory<byte> message)
    {
        public static readonly Dictionary<string, string> NoHeaders = [];

        private int _at;

        /// <returns>null, a bool, long, double, string or array, or the bytes of a render.</returns>
        public object? Read()
        {
            var kind = message.Span[_at++];
            return kind switch
            {
                < 0x80 => (long)kind,
                < 0x90 => Pairs(kind & 0x0f),
                < 0xa0 => Items(kind & 0x0f),
                < 0xc0 => Text(kind & 0x1f),
                0xc0 => null,
                0xc2 or 0xc3 => kind is 0xc3,
                0xc4 => Bytes((int)Number(1)),
                0xc5 => Bytes((int)Number(2)),
                0xc6 => Bytes((int)Number(4)),
                0xcb => BitConverter.Int64BitsToDouble((long)Number(8)),
                0xcc => (long)Number(1),
                0xcd => (long)Number(2),
                0xce => (long)Number(4),
                0xcf or 0xd3 => (long)Number(8),
                0xd0 => (long)(sbyte)Number(1),
                0xd1 => (long)(short)Number(2),
                0xd2 => (long)(int)Number(4),
                0xd9 => Text((int)Number(1)),
                0xda => Text((int)Number(2)),
                0xdb => Text((int)Number(4)),
                0xdc => Items((int)Number(2)),
                0xde => Pairs((int)Number(2)),
                >= 0xe0 => (long)(sbyte)kind,
                _ => throw new InvalidDataException($"Unexpected MessagePack type {kind:x}."),
            };
        }

        public static byte[] Write(object?[] message)
        {
            using var body = new MemoryStream();
            Write(body, message);
            using var framed = new MemoryStream();
            var size = (int)body.Length;
            do
            {
                framed.WriteByte((byte)((size & 0x7f) | (size > 0x7f ? 0x80 : 0)));
                size >>= 7;
            } while (size > 0);
            body.WriteTo(framed);
            return framed.ToArray();
        }

        private static void Write(MemoryStream stream, object? value)
        {
            switch (value)
            {
                case null:
                    stream.WriteByte(0xc0);
                    break;
                case bool isTrue:
                    stream.WriteByte((byte)(isTrue ? 0xc3 : 0xc2));
                    break;
                case long number:
                    stream.WriteByte(0xd3);
                    Span<byte> eight = stackalloc byte[8];
                    BinaryPrimitives.WriteInt64BigEndian(eight, number);
                    stream.Write(eight);
                    break;
                case string text:
                    var bytes = Encoding.UTF8.GetBytes(text);
                    stream.WriteByte(0xdb);
                    Span<byte> four = stackalloc byte[4];
                    BinaryPrimitives.WriteInt32BigEndian(four, bytes.Length);
                    stream.Write(four);
                    stream.Write(bytes);
                    break;
                case Dictionary<string, string>:
                    stream.WriteByte(0x80);
                    break;
                case object?[] items:
                    stream.WriteByte((byte)(0x90 | items.Length));
                    Array.ForEach(items, item => Write(stream, item));
                    break;
            }
        }

        private ulong Number(int size)
        {
            ulong number = 0;
            for (var n = 0; n < size; n++)
            {
                number = (number << 8) | message.Span[_at++];
            }

            return number;
        }

        private ReadOnlyMemory<byte> Bytes(int size) => message.Slice((_at += size) - size, size);

        private string Text(int size) => Encoding.UTF8.GetString(Bytes(size).Span);

        private object?[] Items(int count) => [.. Enumerable.Range(0, count).Select(_ => Read())];

        private object?[] Pairs(int count) => Items(count * 2);
    }
}
