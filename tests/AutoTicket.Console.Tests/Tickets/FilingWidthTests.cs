using AutoTicket.Tickets;

namespace AutoTicket.Tests.Tickets;

public sealed class FilingWidthTests
{
    private readonly FilingWidth _width = new();

    [Fact]
    public void A_FreeScout_that_answers_quickly_is_given_more_at_a_time_and_never_too_many()
    {
        Assert.Equal(FilingWidth.Least, _width.Now);
        Assert.Equal(FilingWidth.Most, Run(TimeSpan.FromMilliseconds(50)));
        Assert.Equal(FilingWidth.Most, _width.Now);
    }

    [Fact]
    public void One_that_takes_its_time_is_given_few_again()
    {
        Run(TimeSpan.FromMilliseconds(50));
        Assert.Equal(FilingWidth.Least, Run(TimeSpan.FromSeconds(1)));
        Assert.Equal(FilingWidth.Least, _width.Now);
    }

    [Fact]
    public void Between_the_two_it_stays_as_it_is()
    {
        Assert.Equal(FilingWidth.Least, Run(TimeSpan.FromMilliseconds(400)));
    }

    [Fact]
    public void While_alerts_come_in_few_are_filed_however_quick_it_is()
    {
        Run(TimeSpan.FromMilliseconds(50));
        Assert.Equal(FilingWidth.Least, Run(TimeSpan.FromMilliseconds(50), alertsComeIn: true));
    }

    /// <returns>How many are under way after a thousand ended, each of which took so long.</returns>
    private int Run(TimeSpan each, bool alertsComeIn = false)
    {
        var underWay = _width.Now;
        for (var ended = 0; ended < 1000; ended++)
        {
            underWay += _width.After(each, alertsComeIn) - 1;
        }

        return underWay;
    }
}
