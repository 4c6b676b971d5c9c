using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using AutoTicket.Alerts;
using AutoTicket.Audit;
using AutoTicket.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace AutoTicket.Intake;

/// <summary>Stores, lists, retries and discards the alerts that could not be read.</summary>
internal sealed partial class ParkedAlerts(
    AlertAggregator aggregator,
    IDbContextFactory<AutoTicketDbContext> contexts,
    IOptions<AlertsOptions> options,
    TimeProvider clock,
    ILogger<ParkedAlerts> logger
)
{
    /// <summary>When there are more rows, the oldest are deleted, so that a broken sender can't fill the disk.</summary>
    private const int MostRows = 10_000;
    private const int MostListed = 200;
    private const string Gone = "The alert is no longer parked: another operator retried or discarded it.";
    private const string MayBeParked = "The console's database can't be reached: the alert may still be parked.";
    private const string Unreachable = "The console's database can't be reached: the alert stays parked. Try again.";

    /// <summary>The fields that identify an alert in any format. Repetitions differ in other fields, such as their times.</summary>
    private static readonly string[] IdentifyingFields = ["source", "name", "surface", "alert_id", "labels"];

    private static readonly RowBatch<ParkedAlert> New = RowBatch.Of<ParkedAlert>(
        p => p.Fingerprint,
        p => p.ReceivedAt,
        p => p.Intake,
        p => p.Reason,
        p => p.Text,
        p => p.IsWhole,
        p => p.Count
    );

    private readonly OutageNotice _outage = new();

    /// <returns>False: the database can't be reached, and nothing was stored.</returns>
    public async Task<bool> AddAsync(IReadOnlyCollection<ParkedAlert> parked, CancellationToken cancellationToken)
    {
        if (parked.Count == 0)
        {
            return true;
        }

        try
        {
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            // Grouped, because one statement can't update a row twice; sorted, so that two statements don't deadlock.
            var rows = parked
                .GroupBy(FingerprintOf)
                .Select(same => same.Last() with { Fingerprint = same.Key, Count = same.Sum(alert => alert.Count) })
                .OrderBy(row => row.Fingerprint, StringComparer.Ordinal)
                .ToList();
            var fingerprints = rows.ConvertAll(row => row.Fingerprint);
            var known = await db
                .ParkedAlerts.Where(alert => fingerprints.Contains(alert.Fingerprint))
                .Select(alert => alert.Fingerprint)
                .ToListAsync(cancellationToken);
            await db.ExecuteAsync(
                $"""
                INSERT INTO parked_alerts (fingerprint, first_received_at, received_at, intake, reason, text, is_whole, count)
                SELECT fingerprint, received_at, received_at, intake, reason, text, is_whole, count FROM {New.Of(rows)} WHERE true
                ON CONFLICT (fingerprint) DO UPDATE SET received_at = excluded.received_at, reason = excluded.reason, text = excluded.text,
                  is_whole = excluded.is_whole, count = parked_alerts.count + excluded.count
                """,
                cancellationToken
            );
            _outage.End();
            // Log new ones only: a sender repeats an alert for as long as it lasts.
            if (rows.ExceptBy(known, row => row.Fingerprint).ToList() is [var first, ..] added)
            {
                Log.Parked(logger, added.Count, first.Intake, first.Reason);
            }

            if (await NewestFirst(db).Skip(MostRows).FirstOrDefaultAsync(cancellationToken) is { } last)
            {
                await db
                    .ParkedAlerts.Where(alert =>
                        alert.ReceivedAt < last.ReceivedAt || (alert.ReceivedAt == last.ReceivedAt && alert.Id <= last.Id)
                    )
                    .ExecuteDeleteAsync(cancellationToken);
            }
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            if (_outage.Begin())
            {
                Log.NotParked(logger, parked.Count, exception.GetBaseException().Message);
            }

            return false;
        }

        return true;
    }

    /// <returns>How many alerts are parked, when the first one was received, and the newest; null: the database can't be reached.</returns>
    public async Task<(int Count, DateTimeOffset? Since, ParkedAlert? Newest)?> SummarizeAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        try
        {
            return (
                await db.ParkedAlerts.CountAsync(cancellationToken),
                await db.ParkedAlerts.MinAsync(alert => (DateTimeOffset?)alert.FirstReceivedAt, cancellationToken),
                await NewestFirst(db).FirstOrDefaultAsync(cancellationToken)
            );
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return null;
        }
    }

    private static IQueryable<ParkedAlert> NewestFirst(AutoTicketDbContext db) =>
        db.ParkedAlerts.AsNoTracking().OrderByDescending(alert => alert.ReceivedAt).ThenByDescending(alert => alert.Id);

    private static string FingerprintOf(ParkedAlert parked)
    {
        var identity = parked.Text;
        try
        {
            using var json = JsonDocument.Parse(parked.Text);
            if (json.RootElement.ValueKind == JsonValueKind.Object)
            {
                var known = IdentifyingFields
                    .Where(name => json.RootElement.TryGetProperty(name, out _))
                    .Select(name => $"{name}:{json.RootElement.GetProperty(name).GetRawText()}");
                identity = string.Join('\n', known) is { Length: > 0 } named ? named : identity;
            }
        }
        catch (JsonException)
        {
            // The whole text identifies it.
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{parked.Intake}\n{identity}")));
    }

    /// <returns>The newest first; null: the database can't be reached.</returns>
    public async Task<IReadOnlyList<ParkedAlert>?> ListAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        try
        {
            return await NewestFirst(db).Take(MostListed).ToListAsync(cancellationToken);
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return null;
        }
    }

    /// <summary>A page of the alerts below an id, by which a repetition does not move a row to another page.</summary>
    /// <returns>The newest first; null: the database can't be reached.</returns>
    public Task<IReadOnlyList<ParkedAlert>?> PageAsync(long? before, CancellationToken cancellationToken) =>
        contexts.OrNullAsync<IReadOnlyList<ParkedAlert>>(
            async db =>
                await db
                    .ParkedAlerts.AsNoTracking()
                    .Where(alert => before == null || alert.Id < before)
                    .OrderByDescending(alert => alert.Id)
                    .Take(MostListed)
                    .ToListAsync(cancellationToken),
            cancellationToken
        );

    /// <summary>Reads the parked alert again with the current settings, and records it if it can be read now.</summary>
    /// <returns>The result, in sentences for the operator.</returns>
    public async Task<string> RetryAsync(long id, string actor, CancellationToken cancellationToken)
    {
        try
        {
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            var parked = await db.ParkedAlerts.AsNoTracking().FirstOrDefaultAsync(alert => alert.Id == id, cancellationToken);
            if (parked is null)
            {
                return Gone;
            }

            if (!parked.IsWhole)
            {
                return "The alert can't be retried, because it was truncated: ask the sender to resend it.";
            }

            if (AlertFormat.Of(parked.Intake) is not { } format)
            {
                return $"The alert can't be retried, because this version does not know the format “{parked.Intake}”: "
                    + "discard it, or update the console.";
            }

            var reading = format.Read(Encoding.UTF8.GetBytes(parked.Text), new IntakeContext(options.Value, clock.GetUtcNow()));
            if (reading.Observation is not { } observation)
            {
                await db
                    .ParkedAlerts.Where(alert => alert.Id == id)
                    .ExecuteUpdateAsync(set => set.SetProperty(alert => alert.Reason, reading.Error!), cancellationToken);
                return $"The alert still can't be read. {reading.Error}";
            }

            if (await aggregator.ObserveAsync([observation], cancellationToken) is not [var observed])
            {
                return "The alert could not be recorded and stays parked: try again in a few seconds.";
            }

            var removed = await RemoveAsync(db, parked, AuditActions.ParkedRetried, actor, cancellationToken);
            var result = observed.Result switch
            {
                ObservationResult.Opened => $"Recorded: alert {AlertIdentity.KeyOf(observed.AlertId)} is open.",
                ObservationResult.Resolved => $"Recorded: alert {AlertIdentity.KeyOf(observed.AlertId)} is resolved.",
                ObservationResult.NotOpen => "Nothing to record: the alert has ended and was not open.",
                _ => $"Recorded: alert {AlertIdentity.KeyOf(observed.AlertId)} was already open.",
            };
            return removed switch
            {
                true => result,
                false => $"{result} Another operator retried or discarded it at the same time.",
                null => $"{result} {MayBeParked}",
            };
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return Unreachable;
        }
    }

    /// <returns>The result, in a sentence.</returns>
    public async Task<string> DiscardAsync(long id, string actor, CancellationToken cancellationToken)
    {
        try
        {
            await using var db = await contexts.CreateDbContextAsync(cancellationToken);
            var parked = await db.ParkedAlerts.AsNoTracking().FirstOrDefaultAsync(alert => alert.Id == id, cancellationToken);
            var removed = parked is null ? false : await RemoveAsync(db, parked, AuditActions.ParkedDiscarded, actor, cancellationToken);
            return removed switch
            {
                true => "Discarded.",
                false => Gone,
                null => MayBeParked,
            };
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return Unreachable;
        }
    }

    /// <returns>False: the alert was removed already; null: it is not known whether it was removed.</returns>
    private async Task<bool?> RemoveAsync(
        AutoTicketDbContext db,
        ParkedAlert parked,
        string action,
        string actor,
        CancellationToken cancellationToken
    )
    {
        db.ParkedAlerts.Remove(parked);
        db.AuditLog.Add(
            new AuditEntry
            {
                CreatedAt = clock.GetUtcNow(),
                Action = action,
                Actor = actor,
                Payload = JsonSerializer.Serialize(
                    new
                    {
                        intake = parked.Intake,
                        received_at = parked.ReceivedAt,
                        reason = parked.Reason,
                    }
                ),
            }
        );
        try
        {
            await db.SaveChangesAsync(cancellationToken);
            return true;
        }
        catch (DbUpdateConcurrencyException)
        {
            return false;
        }
        catch (Exception exception) when (Outages.IsOutage(exception))
        {
            return null;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "alert_intake parked count={Count} intake={Intake} first: {Reason}")]
        public static partial void Parked(ILogger logger, int count, string intake, string reason);

        [LoggerMessage(LogLevel.Warning, "alert_intake can't park alerts count={Count}, their sender gets 503: {Problem}")]
        public static partial void NotParked(ILogger logger, int count, string problem);
    }
}
