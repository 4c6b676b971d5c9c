using System.Reflection;
using Xunit.Sdk;

namespace AutoTicket.Tests.Kit;

/// <summary>The databases that the console supports. Every test of storage semantics runs on both.</summary>
public enum Database
{
    Postgres,
    Sqlite,
}

/// <summary>Runs a theory with one <see cref="Database"/> parameter on both databases.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class BothDatabasesAttribute : DataAttribute
{
    public override IEnumerable<object[]> GetData(MethodInfo testMethod) =>
        Enum.GetValues<Database>().Select(database => new object[] { database });
}
