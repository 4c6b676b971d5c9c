namespace AutoTicket.Tests.Kit;

/// <summary>A console that can be called over HTTP, in the test process or in its own.</summary>
internal interface IConsole
{
    HttpClient Http { get; }
}
