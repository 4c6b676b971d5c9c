namespace AutoTicket.Surfaces;

/// <summary>A time in which a surface is in maintenance: it is probed and shown, but nothing is filed or sent for it.</summary>
/// <param name="From">Its first moment.</param>
/// <param name="Until">The first moment after it.</param>
/// <param name="Actor">Who set it.</param>
public sealed record SurfaceMaintenance(string SurfaceKey, DateTimeOffset From, DateTimeOffset Until, string Actor, string Reason)
{
    /// <summary>The <see cref="Actor"/> of <see cref="Surface.MaintenanceUntil"/>.</summary>
    public const string Configuration = "configuration";

    public bool Covers(DateTimeOffset at) => From <= at && at < Until;
}
