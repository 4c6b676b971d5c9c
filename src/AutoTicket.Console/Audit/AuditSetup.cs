namespace AutoTicket.Audit;

internal static class AuditSetup
{
    public static void AddAudit(this WebApplicationBuilder builder)
    {
        builder.Services.AddSettings<AuditOptions>("Audit");
        builder.Services.AddSingleton<AuditQueries>();
        builder.Services.AddSingleton(AuditDbSets.Expiry);
        builder.Services.AddHosted<DenialLog>();
        builder.Services.AddHosted<Retention>();
    }
}
