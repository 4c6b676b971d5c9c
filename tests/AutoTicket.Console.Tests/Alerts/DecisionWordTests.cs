using System.Reflection;
using AutoTicket.Alerts;
using AutoTicket.FreeScout;
using AutoTicket.Tests.Kit;
using Microsoft.EntityFrameworkCore;

namespace AutoTicket.Tests.Alerts;

/// <summary>The words of decisions are stored, shown and grepped, so they must not change.</summary>
public sealed class DecisionWordTests
{
    private static readonly string[] Contract =
    [
        "accepted with a change",
        "adopted",
        "already open",
        "answer lost: looking it up",
        "below severity",
        "breaker tripped",
        "degraded: database",
        "dropped: ended meanwhile",
        "end noted",
        "error",
        "failed",
        "filed",
        "flag off",
        "folded",
        "held: flapping",
        "held: maintenance",
        "held: snoozed",
        "in digest",
        "no DM: not more severe",
        "no note",
        "no ticket",
        "no ticket: escalation",
        "no ticket: own network",
        "not set up",
        "note refused",
        "passed",
        "sent",
        "severity noted",
        "ticket closed",
        "waiting for the next digest",
    ];

    [Fact]
    public void The_words_of_decisions_do_not_change() =>
        Assert.Equal(Contract, All.Select(word => word.Text).Order(StringComparer.Ordinal));

    [Fact]
    public void Only_a_degraded_word_has_a_cause()
    {
        var degraded = DecisionWord.Degraded(FreeScoutFailureKind.KeyRejected);

        Assert.Equal(("degraded: key_rejected", "key_rejected", true), (degraded.Text, degraded.Cause, degraded.IsDegraded));
        Assert.Equal(degraded, DecisionWord.Stored("degraded: key_rejected"));
        Assert.Equal([DecisionWord.DatabaseDegraded], All.Where(word => word.IsDegraded));
    }

    [Theory, BothDatabases]
    public async Task The_database_and_the_code_match_the_same_decision_words(Database kind)
    {
        await using var database = await TestDatabase.CreateAsync(kind);
        await using var db = database.Open();
        foreach (var word in All)
        {
            db.Decisions.Add(
                new Decision
                {
                    AlertId = "an alert",
                    Path = "test",
                    Word = word,
                    FirstAt = DateTimeOffset.UnixEpoch,
                    LastAt = DateTimeOffset.UnixEpoch,
                }
            );
        }

        await db.SaveChangesAsync();

        Assert.Equal([DecisionWord.DatabaseDegraded], await WordsAsync(DecisionWord.IsDegradedRow));
        Assert.Equal([DecisionWord.InDigest, DecisionWord.Sent], await WordsAsync(DecisionWord.IsMessageRow));

        async Task<IEnumerable<DecisionWord>> WordsAsync(System.Linq.Expressions.Expression<Func<Decision, bool>> condition) =>
            (await db.Decisions.Where(condition).ToListAsync()).Select(row => row.Word).OrderBy(word => word.Text, StringComparer.Ordinal);
    }

    private static IReadOnlyList<DecisionWord> All =>
        [
            .. typeof(DecisionWord)
                .GetProperties(BindingFlags.Public | BindingFlags.Static)
                .Where(property => property.PropertyType == typeof(DecisionWord))
                .Select(property => (DecisionWord)property.GetValue(null)!),
        ];
}
