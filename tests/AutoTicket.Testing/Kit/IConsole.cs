namespace AutoTicket.Tests.Kit;

/// <summary>A console that answers over HTTP, in this process or as one of its own.</summary>
internal interface IConsole
{
    HttpClient Http { get; }
}
