using System.Globalization;
using AutoTicket.BareBlazor;
using MudBlazor.Services;

// The smallest Blazor Server app with MudBlazor, with which the benchmarks compare the console. It logs where it listens.
// GET  /?tiles=100  a prerendered, interactive page with as many tiles and a button that counts its clicks
// POST /push        changes the text of the first tile on all open pages; returns the new text
var builder = WebApplication.CreateBuilder(args);
builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
builder.Services.AddMudServices();
builder.Services.AddSingleton<Pushes>();
builder.Services.AddRazorComponents().AddInteractiveServerComponents();
var app = builder.Build();
app.UseAntiforgery();
app.MapStaticAssets();
app.MapRazorComponents<App>().AddInteractiveServerRenderMode();
app.MapPost("/push", (Pushes pushes) => pushes.Push().ToString(CultureInfo.InvariantCulture)).DisableAntiforgery();
app.Run();
