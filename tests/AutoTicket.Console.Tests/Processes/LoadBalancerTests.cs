using AutoTicket.Surfaces;
using AutoTicket.Tests.Journeys;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Processes;

/// <summary>Two consoles behind Debian's nginx, which balances requests without session affinity.</summary>
public sealed class LoadBalancerTests(LoadBalancerTests.Balanced consoles) : IClassFixture<LoadBalancerTests.Balanced>
{
    [Fact]
    public async Task Every_page_is_live_wherever_its_requests_go()
    {
        foreach (var surface in new[] { "pay", "shop", "mail" })
        {
            await using var page = await ConsolePage.OpenAsync(consoles.Address, "/console/status");
            await page.Investigate($"Surface {surface}").ClickAsync();
            await Assertions.Expect(page.Outcome($"Surface {surface}")).ToContainTextAsync("#");
        }

        await using var crossed = await ConsolePage.OpenAsync(consoles.Crossed, "/console/status");
        await Assertions.Expect(crossed.Tile("Surface pay")).ToHaveAttributeAsync("data-status", "down");
    }

    [Theory, Trait("Pitfall", "T-48")]
    [InlineData(true), InlineData(false)]
    public async Task A_page_whose_first_connection_fails_says_so_and_is_live_as_soon_as_it_can_connect(bool isRefused)
    {
        consoles.Line.Restore();
        if (isRefused)
        {
            consoles.Line.Cut();
        }
        else
        {
            consoles.Line.Stall();
        }

        await using var page = await ConsolePage.OpenSignedOutAsync(consoles.Crossed, "/console/status");
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Alertdialog)).ToContainTextAsync("Reconnecting");
        await Assertions.Expect(page.Page.Locator("html[data-circuit=lost]")).ToHaveCountAsync(1);
        Assert.Equal(0, await page.Page.Locator("html[data-live]").CountAsync());
        var opened = await page.Page.EvaluateAsync<double>("performance.timeOrigin");

        consoles.Line.Restore();

        await page.IsLiveAsync();
        await Assertions.Expect(page.Page.Locator("html[data-circuit=lost]")).ToHaveCountAsync(0);
        await Assertions.Expect(page.Page.GetByRole(AriaRole.Alertdialog)).ToHaveCountAsync(0);
        Assert.Equal(opened, await page.Page.EvaluateAsync<double>("performance.timeOrigin"));
    }

    public sealed class Balanced : IAsyncLifetime
    {
        private Consoles _consoles = null!;
        private ToolProcess _nginx = null!;

        public Uri Address { get; } = new($"http://127.0.0.1:{LoopbackPort.Next()}");

        /// <summary>The address at which the first console serves the pages and the second one the circuits.</summary>
        public Uri Crossed { get; } = new($"http://127.0.0.1:{LoopbackPort.Next()}");

        public TcpProxy Line { get; private set; } = null!;

        public async Task InitializeAsync()
        {
            _consoles = await Consoles.CreateAsync("pay", "shop", "mail");
            var settings = new Dictionary<string, string> { ["CONSOLE_PUBLIC_URL"] = Address.AbsoluteUri };
            var started = new[] { await _consoles.StartHostAsync(settings), await _consoles.StartHostAsync(settings) };
            Line = TcpProxy.To(started[1].Address.AbsoluteUri);
            _nginx = ToolProcess.Start(
                "/usr/sbin/nginx",
                new Dictionary<string, string> { ["nginx.conf"] = Configuration(started[0].Address.Port, started[1].Address.Port) },
                "-p",
                ".",
                "-e",
                "stderr",
                "-c",
                "nginx.conf"
            );
            using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
            await Eventually.TrueAsync(
                async () => (await http.GetAsync(new Uri(Address, "/healthz/live"))).IsSuccessStatusCode,
                "nginx answers"
            );
        }

        public async Task DisposeAsync()
        {
            await _nginx.DisposeAsync();
            await Line.DisposeAsync();
            await _consoles.DisposeAsync();
        }

        // A single process, because workers would outlive a killed master. The first server drops Host's port, as many configurations do.
        private string Configuration(int first, int second) =>
            $$"""
                daemon off;
                master_process off;
                pid nginx.pid;
                events {}
                http {
                  access_log off;
                  client_body_temp_path body;
                  proxy_temp_path proxy;
                  fastcgi_temp_path fastcgi;
                  uwsgi_temp_path uwsgi;
                  scgi_temp_path scgi;
                  proxy_http_version 1.1;
                  map $http_upgrade $connection_header { default upgrade; "" close; }
                  upstream both { server 127.0.0.1:{{first}}; server 127.0.0.1:{{second}}; }
                  server {
                    listen {{Address.Authority}};
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection $connection_header;
                    proxy_set_header Host $host;
                    location / { proxy_pass http://both; }
                  }
                  server {
                    listen {{Crossed.Authority}};
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection $connection_header;
                    proxy_set_header Host $http_host;
                    location / { proxy_pass http://127.0.0.1:{{first}}; }
                    location = /_blazor { proxy_pass http://127.0.0.1:{{Line.Port}}; }
                  }
                }
                """;
    }
}
