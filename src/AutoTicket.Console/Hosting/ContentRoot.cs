namespace AutoTicket.Hosting;

/// <summary>Where appsettings.json and wwwroot/ are: beside the published program, or at the top of the repository.</summary>
internal static class ContentRoot
{
    /// <summary>The first folder, upwards from the program, that holds both. A published app started from another
    /// folder would otherwise serve empty files and read no settings, without a word.</summary>
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
