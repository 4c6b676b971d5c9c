using AutoTicket.Security;
using Microsoft.Playwright;

namespace AutoTicket.Tests.Journeys;

public sealed class SignInJourneys
{
    private const string Password = "correct horse battery";

    [Fact]
    public async Task Outside_Development_an_operator_signs_in_and_out_and_a_wrong_password_is_rejected()
    {
        var settings = new Dictionary<string, string?>
        {
            ["CONSOLE_OPERATOR_PASSWORD_HASH"] = Login.Hash(Password),
            ["urls"] = ConsoleHost.OverTls,
        };
        await using var console = await ConsoleHost.StartAsync(settings: settings, environment: "Staging");
        await using var visitor = await ConsolePage.OpenSignedOutAsync(console.Address, "/console/flags");
        var page = visitor.Page;
        var password = page.GetByLabel("Operator password");
        var signIn = page.GetByRole(AriaRole.Button, new() { Name = "Sign in" });

        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("Sign in");
        await Assertions.Expect(page.GetByRole(AriaRole.Navigation)).ToHaveCountAsync(0);

        await password.FillAsync("not the password");
        await signIn.ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToHaveTextAsync("Wrong password.");

        await password.FillAsync(Password);
        await signIn.ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("Flags");
        // If the session ended while the page still connects, the browser would report a refused connection.
        await visitor.IsLiveAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Sign out", Exact = true }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("Sign in");
        await page.GotoAsync(new Uri(console.Address, "/console/flags").AbsoluteUri);
        await Assertions.Expect(signIn).ToBeVisibleAsync();
        visitor.AssertNoErrors();
    }
}
