using System.Reflection;
using Microsoft.AspNetCore.Components;

namespace AutoTicket.Tests.Structure;

/// <summary>Parameters of an address.</summary>
public sealed class QueryParameterTests
{
    [Fact]
    public void A_page_reads_each_as_text_because_Blazor_answers_500_to_what_it_cannot_parse()
    {
        var parameters = typeof(ContentRoot)
            .Assembly.GetTypes()
            .SelectMany(type => type.GetProperties(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
            .Where(property => property.IsDefined(typeof(SupplyParameterFromQueryAttribute)))
            .ToList();
        Assert.NotEmpty(parameters);
        Assert.All(parameters, parameter => Assert.Equal(typeof(string), parameter.PropertyType));
    }
}
