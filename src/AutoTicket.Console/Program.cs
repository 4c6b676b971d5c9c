using AutoTicket;

var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = ContentRoot.Find() });
var app = builder.Build();
await app.RunAsync();
