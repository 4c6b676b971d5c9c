namespace AutoTicket.Audit;

internal static class AuditSetup
{
    public static void AddAudit(this WebApplicationBuilder builder)
    {
        builder.Services.AddSettings<AuditOptions>("Audit");
        builder.Services.AddSingleton<AuditLog>();
        builder.Services.AddHosted<Retention>();
    }
}
