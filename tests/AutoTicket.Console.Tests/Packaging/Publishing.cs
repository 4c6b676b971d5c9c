namespace AutoTicket.Tests.Packaging;

/// <summary>Publishes the built console as a user does.</summary>
internal static class Publishing
{
    // Two at a time would write the same intermediate files.
    private static readonly SemaphoreSlim Alone = new(1, 1);

    public static async Task RunAsync(DirectoryInfo folder, params string[] arguments)
    {
        await Alone.WaitAsync();
        try
        {
            await Shell.RunAsync(
                [
                    "dotnet",
                    "publish",
                    Path.Combine(ContentRoot.Find(), "src", "AutoTicket.Console"),
                    "--no-build",
                    "--configuration",
                    new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name,
                    "-nodeReuse:false",
                    $"-p:PublishDir={folder.FullName}/",
                    .. arguments,
                ],
                2 * Eventually.Patience
            );
        }
        finally
        {
            Alone.Release();
        }
    }
}
