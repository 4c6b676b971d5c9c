using AutoTicket.Components.Board;
using AutoTicket.Components.Tickets;
using AutoTicket.Flags;
using AutoTicket.Mailbox;
using AutoTicket.Security;
using AutoTicket.Surfaces;
using AutoTicket.Tickets;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Options;
using Microsoft.JSInterop;

namespace AutoTicket.Components.Pages;

/// <summary>Base of the pages with live tiles and Investigate: the board and a surface's own page.</summary>
public abstract class SurfacesPage : MutingPage
{
    private static readonly Dictionary<string, InvestigationForecast> NoForecasts = [];

    private readonly Dictionary<string, Investigation> _outcomes = [];
    private readonly HashSet<string> _busy = [];
    private IReadOnlyDictionary<string, InvestigationForecast> _forecasts = NoForecasts;

    // Outcomes whose ticket has appeared in our copy of FreeScout's list, which lags behind the click.
    private readonly HashSet<Investigation> _seenOpen = new(ReferenceEqualityComparer.Instance);
    private IDisposable? _subscription;

    [Inject]
    private protected StatusBoard Board { get; set; } = default!;

    [Inject]
    private protected OpenTickets OpenTickets { get; set; } = default!;

    [Inject]
    private RecoveredTickets Recovered { get; set; } = default!;

    [Inject]
    private protected FlagWatch Flags { get; set; } = default!;

    [Inject]
    private Investigator Investigator { get; set; } = default!;

    [Inject]
    private InvestigationForecasts InvestigationForecasts { get; set; } = default!;

    [Inject]
    private IOptions<StatusOptions> Options { get; set; } = default!;

    [Inject]
    private IJSRuntime JS { get; set; } = default!;

    /// <summary>A reading must reach every open page within 250 ms. A cycle's readings arrive together.</summary>
    protected override TimeSpan UpdateDelay => TimeSpan.FromMilliseconds(150);

    protected IReadOnlyList<SurfaceSnapshot> Surfaces { get; private set; } = [];

    /// <summary>By surface key, like the next four.</summary>
    protected IReadOnlyDictionary<string, TileTicket> Tickets { get; private set; } = new Dictionary<string, TileTicket>();

    /// <summary>What a click on Investigate would do; empty when the user may not click.</summary>
    protected IReadOnlyDictionary<string, InvestigationForecast> Forecasts => HasRight(Rights.Operate) ? _forecasts : NoForecasts;

    protected IReadOnlyDictionary<string, Investigation> Outcomes => _outcomes;

    /// <summary>The user's clicks on Take it, of surfaces with a ticket; empty when the user may not click.</summary>
    protected IReadOnlyDictionary<string, TakeState> Takes =>
        Tickets
            .Select(pair => (pair.Key, Take: pair.Value.Link is { } ticket ? TakeOf(ticket.Id) : null))
            .Where(pair => pair.Take is not null)
            .ToDictionary(pair => pair.Key, pair => pair.Take!);

    protected IReadOnlySet<string> Busy => _busy;

    protected TimeSpan PollInterval => Options.Value.PollInterval;

    /// <summary>The current state of the surfaces that the page shows.</summary>
    private protected abstract IReadOnlyList<SurfaceSnapshot> Find();

    protected override async Task OnInitializedAsync()
    {
        _subscription = Board.Subscribe(changed =>
        {
            if (IsShown(changed.Key))
            {
                if (changed.HasTurned)
                {
                    ReadNow();
                }
                else
                {
                    ReadSoon();
                }
            }
        });
        OpenTickets.Changed += ReadNow;
        Flags.Changed += ReadNow;
        await base.OnInitializedAsync();
    }

    protected virtual bool IsShown(string key) => true;

    protected override async Task ReadAsync()
    {
        Surfaces = Find();
        Tickets = Surfaces
            .Select(surface => (surface.Key, Known: OpenTickets.Of(surface.Key)))
            .Select(pair =>
                (pair.Key, Ticket: TileTicket.Of(pair.Known, pair.Known.Ticket is not null && Recovered.HasRecovered(pair.Key)))
            )
            .Where(pair => pair.Ticket is not null)
            .ToDictionary(pair => pair.Key, pair => pair.Ticket!);
        RemoveOldOutcomes();
        _forecasts = await InvestigationForecasts.ForecastAsync(Surfaces);
    }

    protected override void Unsubscribe()
    {
        _subscription?.Dispose();
        OpenTickets.Changed -= ReadNow;
        Flags.Changed -= ReadNow;
    }

    protected Task TakeAsync((string Surface, TakeRequest Request) click) =>
        Tickets.GetValueOrDefault(click.Surface)?.Link is { } ticket ? TakeAsync(ticket.Id, click.Request) : Task.CompletedTask;

    protected async Task InvestigateAsync(string key)
    {
        if (!_busy.Add(key))
        {
            return;
        }

        try
        {
            if (await AuthorizeAsync(Rights.Operate, $"investigate {key}") is { } actor)
            {
                var isPromised = Forecasts.GetValueOrDefault(key) is { Kind: InvestigationForecastKind.Opens };
                _outcomes.Remove(key);
                StateHasChanged();
                var outcome = await Investigator.InvestigateAsync(key, actor);
                _outcomes[key] = outcome;
                if (isPromised && outcome is { Disposition: InvestigationDisposition.AlreadyOpen, Ticket: { } ticket })
                {
                    await OpenAsync(ticket.Url);
                }
            }
        }
        finally
        {
            _busy.Remove(key);
        }

        await ReadAsync();
    }

    /// <summary>Opens the address in a new tab. If the browser blocks it, the tile still links the ticket.</summary>
    private Task OpenAsync(string address) => BrowserCall.TryAsync(() => JS.InvokeVoidAsync("autoticket.open", PageClosed, address));

    /// <summary>Removes the result of a click once the surface is operational again, or not any more if it was then, or its ticket is no
    /// longer open.</summary>
    private void RemoveOldOutcomes()
    {
        foreach (var (key, outcome) in _outcomes.ToList())
        {
            var isOpen = outcome.Ticket is { } ticket && OpenTickets.Current.Tickets.Any(open => open.Id == ticket.Id);
            if (isOpen)
            {
                _seenOpen.Add(outcome);
            }

            var surface = Board.Find(key);
            var isOver =
                outcome.Disposition == InvestigationDisposition.SurfaceOperational
                    ? surface?.Observed != SurfaceStatus.Operational
                    : surface is not { Status: not SurfaceStatus.Operational };
            if (isOver || (!isOpen && _seenOpen.Contains(outcome)))
            {
                _outcomes.Remove(key);
                _seenOpen.Remove(outcome);
            }
        }
    }
}
