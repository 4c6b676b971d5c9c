using System.Reflection;

namespace AutoTicket.Hosting;

/// <summary>The console's version. The build takes it from the newest git tag.</summary>
internal static class ProductVersion
{
    /// <summary>With the commit, for example <c>0.2.0+1f3a…</c>; between two releases <c>0.2.1-alpha.0.5+…</c>.</summary>
    public static readonly string Full = typeof(ProductVersion)
        .Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!
        .InformationalVersion;

    /// <summary>Without the commit.</summary>
    public static readonly string Short = Full.Split('+')[0];
}
