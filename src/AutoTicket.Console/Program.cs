using AutoTicket;
using AutoTicket.Security;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;

if (args is ["hash-password"])
{
    Console.Error.WriteLine("Type the password and press Enter.");
    if (Console.ReadLine() is not { Length: >= 12 } password)
    {
        Console.Error.WriteLine("The password must be 12 characters or longer. Nothing was printed.");
        return 1;
    }

    Console.WriteLine(Login.Hash(password));
    return 0;
}

try
{
    var migrate = args is ["migrate", ..];
    // Settings are read once. To watch appsettings.json .NET would watch every folder below it: in a clone, a thousand.
    var builder = WebApplication.CreateBuilder(new WebApplicationOptions
    {
        Args = ["--hostBuilder:reloadConfigOnChange=false", .. migrate ? args[1..] : args],
        ContentRootPath = ContentRoot.Find(),
    });
    if (migrate)
    {
        return await builder.MigrateAsync();
    }

    var app = builder.AddAutoTicketing().Build();
    app.MapAutoTicketing();
    await app.RunAsync();
    return Environment.ExitCode;
}
catch (Exception mistake) when (mistake is ConfigurationException or OptionsValidationException)
{
    // Not an exception to the operator: a sentence that says what to change.
    Console.Error.WriteLine($"AutoTicket Console can't start: {mistake.Message}");
    return 1;
}
catch (IOException taken) when (taken.InnerException is AddressInUseException)
{
    Console.Error.WriteLine($"AutoTicket Console can't start: {taken.Message} Stop what listens there, or set PORT or ASPNETCORE_URLS to another address.");
    return 1;
}
