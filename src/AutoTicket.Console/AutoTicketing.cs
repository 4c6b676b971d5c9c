using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Components;
using AutoTicket.Data;
using AutoTicket.Diagnostics;
using AutoTicket.Flags;
using AutoTicket.FreeScout;
using AutoTicket.Incidents;
using AutoTicket.Intake;
using AutoTicket.Mailbox;
using AutoTicket.Maintenance;
using AutoTicket.Security;
using AutoTicket.Slack;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;

namespace AutoTicket;

/// <summary>The console as a module: a host calls these two methods and nothing else. Each folder wires itself.</summary>
public static class AutoTicketing
{
    /// <summary>Registers all services. Background services start in this order and stop in the reverse order.</summary>
    /// <exception cref="ConfigurationException">A setting can't be used.</exception>
    public static WebApplicationBuilder AddAutoTicketing(this WebApplicationBuilder builder)
    {
        builder.AddHosting();
        builder.AddData();
        builder.AddSurfaces();
        builder.AddIntake();
        builder.AddMaintenance();
        builder.AddAlerts();
        builder.AddTickets();
        builder.AddMailbox();
        builder.AddIncidents();
        builder.AddFreeScout();
        builder.AddSlack();
        builder.AddFlags();
        builder.AddAudit();
        builder.AddSecurity();
        builder.AddDiagnostics();
        builder.AddComponents();
        return builder;
    }

    /// <summary>Adds the middleware, in the order in which a request passes it, and the endpoints.</summary>
    public static WebApplication MapAutoTicketing(this WebApplication app)
    {
        app.UseRequestGuards();
        app.UseErrorAnswers();
        app.UseDatabaseGate();
        app.UseIntakePaths();
        app.UseSignIn();

        app.MapHosting();
        app.MapAlertIntake();
        app.MapMaintenance();
        app.MapFlood();
        app.MapMailbox();
        // Each request may ask FreeScout. Every signed-in user may read incidents, so the folder needs no rights.
        app.MapIncidents().WithMetadata(new RequestLimits.AtOnce("incident", 8));
        app.MapFlags();
        // Audit knows no rights, because Security uses Audit.
        app.MapAudit().RequireAuthorization(Rights.Operate).WithMetadata(RequestLimits.Exports);
        app.MapLogin();
        app.MapDiagnostics();
        app.MapComponents();
        return app;
    }
}
