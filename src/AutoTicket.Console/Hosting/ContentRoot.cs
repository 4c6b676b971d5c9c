namespace AutoTicket.Hosting;

/// <summary>The folder with appsettings.json and wwwroot/: beside the published program, or the top of the repository.</summary>
internal static class ContentRoot
{
    /// <summary>The first folder, upward from the program, that has both. Otherwise a published console that is started from another folder
    /// would silently read no settings and serve empty files.</summary>
    public static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (
                File.Exists(Path.Combine(folder.FullName, "appsettings.json")) && Directory.Exists(Path.Combine(folder.FullName, "wwwroot"))
            )
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException(
            $"No folder with appsettings.json and wwwroot/ from {AppContext.BaseDirectory} upwards: the installation is incomplete."
        );
    }
}
