using System.Net;
using System.Net.Http.Json;
using AutoTicket.Flags;

namespace AutoTicket.Tests.Processes;

/// <summary>A console on a server whose zone is not UTC.</summary>
public sealed class LocalTimeTests
{
    [Fact]
    public async Task A_time_without_an_offset_is_in_UTC_whatever_the_servers_zone()
    {
        await using var all = await Consoles.CreateAsync("pay");
        var console = await all.StartAsync(new Dictionary<string, string> { ["TZ"] = "Asia/Tokyo" });
        var day = TimeProvider.System.GetUtcNow().UtcDateTime.Date.AddDays(2);

        var planned = await console.AskAsync(
            HttpMethod.Post,
            "/api/surfaces/pay/maintenance",
            JsonContent.Create(
                new
                {
                    starts_at = $"{day:yyyy-MM-dd}T09:00:00",
                    until = $"{day:yyyy-MM-dd}T12:00:00+02:00",
                    reason = "database upgrade",
                }
            )
        );
        Assert.True(planned.Status == HttpStatusCode.OK, planned.Text);
        Assert.Equal(At(9), planned.Body.GetProperty("starts_at").GetDateTimeOffset());
        Assert.Equal(At(10), planned.Body.GetProperty("ends_at").GetDateTimeOffset());

        var scheduled = await console.AskAsync(
            HttpMethod.Put,
            $"/api/flags/{FlagNames.AlertsAutoTicket}",
            JsonContent.Create(
                new
                {
                    enabled = true,
                    reason = "after the upgrade",
                    at = $"{day:yyyy-MM-dd}T13:00:00",
                }
            )
        );
        Assert.True(scheduled.Status == HttpStatusCode.OK, scheduled.Text);
        Assert.Equal(At(13), scheduled.Body.GetProperty("scheduled").GetProperty("at").GetDateTimeOffset());

        DateTimeOffset At(int hour) => new(day.AddHours(hour), TimeSpan.Zero);
    }
}
