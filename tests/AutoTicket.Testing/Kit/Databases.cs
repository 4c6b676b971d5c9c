using System.Reflection;
using Xunit.Sdk;

namespace AutoTicket.Tests.Kit;

/// <summary>What the console can store in. Every test of storage semantics runs on both.</summary>
public enum Database
{
    Postgres,
    Sqlite,
}

/// <summary>Runs a theory with one parameter, a <see cref="Database"/>, on both of them.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class BothDatabasesAttribute : DataAttribute
{
    public override IEnumerable<object[]> GetData(MethodInfo testMethod) =>
        Enum.GetValues<Database>().Select(database => new object[] { database });
}
