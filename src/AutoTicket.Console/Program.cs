using System.Text;
using AutoTicket;
using AutoTicket.Data;
using AutoTicket.Security;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;

if (args.Any(argument => argument is "--help" or "-h"))
{
    Console.WriteLine(CommandLine.Help);
    return 0;
}

if (args is ["--version"])
{
    Console.WriteLine(CommandLine.Version);
    return 0;
}

if (args is ["health"])
{
    return await HealthProbe.RunAsync();
}

var verb = args is ["migrate" or "hash-password", ..] ? args[0] : null;
var settings = verb is null ? args : args[1..];
if (CommandLine.Unknown(settings) is { } unknown)
{
    Console.Error.WriteLine($"AutoTicket Console does not know “{unknown}”. --help says what it knows.");
    return 2;
}

if (verb is "hash-password")
{
    if (!Console.IsInputRedirected)
    {
        // Turns the terminal's echo off before the prompt.
        _ = Console.KeyAvailable;
    }

    Console.Error.WriteLine("Type the password, which is not shown, and press Enter.");
    if (ReadPassword() is not { Length: >= 12 } password)
    {
        Console.Error.WriteLine("The password must be 12 characters or longer. Nothing was printed.");
        return 1;
    }

    Console.WriteLine(Login.Hash(password));
    return 0;
}

try
{
    // Settings are read once. To watch appsettings.json .NET would watch every folder below it: in a clone, a thousand.
    var builder = WebApplication.CreateBuilder(
        new WebApplicationOptions { Args = ["--hostBuilder:reloadConfigOnChange=false", .. settings], ContentRootPath = ContentRoot.Find() }
    );
    if (verb is "migrate")
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
    Console.Error.WriteLine(
        $"AutoTicket Console can't start: {taken.Message} Stop what listens there, or set PORT or ASPNETCORE_URLS to another address."
    );
    return 1;
}

static string? ReadPassword()
{
    if (Console.IsInputRedirected)
    {
        return Console.ReadLine();
    }

    var typed = new StringBuilder();
    while (Console.ReadKey(intercept: true) is { Key: not ConsoleKey.Enter } key)
    {
        if (key.Key == ConsoleKey.Backspace)
        {
            typed.Length = Math.Max(0, typed.Length - 1);
        }
        else if (!char.IsControl(key.KeyChar))
        {
            typed.Append(key.KeyChar);
        }
    }

    return typed.ToString();
}
