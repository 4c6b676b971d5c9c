namespace AutoTicket.Intake;

internal static class IntakeSetup
{
    public static void AddIntake(this WebApplicationBuilder builder) => builder.Services.AddSingleton<ParkedAlerts>();
}
