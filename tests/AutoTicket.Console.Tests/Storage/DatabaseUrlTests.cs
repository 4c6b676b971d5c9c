using AutoTicket.Data;
using AutoTicket.Diagnostics;
using AutoTicket.FreeScout;
using AutoTicket.Slack;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;

namespace AutoTicket.Tests.Storage;

/// <summary>URLs as hosting companies, libpq and compose files write them.</summary>
public sealed class DatabaseUrlTests
{
    /// <summary>URLs from the field: who writes each, and whether it must start the console.</summary>
    public static TheoryData<string, string> Field()
    {
        var file = Path.Combine(ContentRoot.Find(), "tests", "AutoTicket.Console.Tests", "Cases", "database", "database-urls.tsv");
        var rows = new TheoryData<string, string>();
        foreach (var row in File.ReadLines(file).Skip(1).Select(line => line.Split('\t')))
        {
            rows.Add(row[0], row[2]);
        }

        return rows;
    }

    [Theory, MemberData(nameof(Field))]
    public void A_real_world_address_is_accepted_or_refused_with_what_to_change(string url, string must)
    {
        if (must.StartsWith("starts", StringComparison.Ordinal))
        {
            // Npgsql checks the combination of settings here.
            using var source = NpgsqlDataSource.Create(DatabaseUrl.ToConnectionString(url));
            return;
        }

        var refusal = Assert.Throws<ConfigurationException>(() => DatabaseUrl.ToConnectionString(url)).Message;
        Assert.StartsWith("DATABASE_URL ", refusal, StringComparison.Ordinal);
        Assert.Contains(must.Contains("%23", StringComparison.Ordinal) ? "%23" : "quotes", refusal, StringComparison.Ordinal);
        Assert.DoesNotContain("my*cool", refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("postgres://u:abc@db.example.org:5432/app", "db.example.org", 5432, "app", "u", "abc")]
    [InlineData("postgresql://u@db.example.org/app", "db.example.org", 5432, "app", "u", null)]
    [InlineData("postgres://u:p%40ss%2Fw%3Ard%23%25@db.example.org/app", "db.example.org", 5432, "app", "u", "p@ss/w:rd#%")]
    [InlineData("postgres://u%40server:p@h.postgres.database.azure.com/app", "h.postgres.database.azure.com", 5432, "app", "u@server", "p")]
    [InlineData("postgres://u:a:b=c&d*@h/app", "h", 5432, "app", "u", "a:b=c&d*")]
    [InlineData("postgres://u:p@[2001:db8::5]:5433/app", "2001:db8::5", 5433, "app", "u", "p")]
    [InlineData("postgres://u:p@my_db:5432/app", "my_db", 5432, "app", "u", "p")]
    [InlineData("postgres:///app?host=/var/run/postgresql", "/var/run/postgresql", 5432, "app", null, null)]
    [InlineData("postgres://%2Fvar%2Frun%2Fpostgresql/app", "/var/run/postgresql", 5432, "app", null, null)]
    [InlineData("postgres://u:p@/app?host=/cloudsql/proj:region:inst", "/cloudsql/proj:region:inst", 5432, "app", "u", "p")]
    [InlineData("postgres://?host=h&port=5433&user=u&password=p%26&dbname=app", "h", 5433, "app", "u", "p&")]
    [InlineData("postgres://u:p@h1:5432,h2:5433,h3/app", "h1:5432,h2:5433,h3:5432", 5432, "app", "u", "p")]
    public void Every_part_of_the_address_is_read(string url, string host, int port, string database, string? user, string? password)
    {
        var read = Read(url);

        Assert.Equal((host, port, database, user, password), (read.Host, read.Port, read.Database, read.Username, read.Password));
    }

    [Theory]
    [InlineData("sslmode=disable", SslMode.Disable)]
    [InlineData("sslmode=verify-ca", SslMode.VerifyCA)]
    [InlineData("sslmode=verify-full&sslrootcert=system", SslMode.VerifyFull)]
    [InlineData("sslmode=no-verify", SslMode.Require)]
    [InlineData("ssl=no-verify", SslMode.Require)]
    [InlineData("ssl=true", SslMode.Require)]
    [InlineData("ssl=1", SslMode.Require)]
    [InlineData("ssl=0", SslMode.Disable)]
    public void Each_spelling_of_the_encryption_setting_is_read(string parameters, SslMode mode) =>
        Assert.Equal(mode, Read($"postgres://u:p@h/app?{parameters}").SslMode);

    [Theory]
    [InlineData("sslmode=require", true)]
    [InlineData("sslmode=no-verify", true)]
    [InlineData("sslmode=verify-full", false)]
    [InlineData("", true)]
    public void Diagnostics_says_when_the_certificate_is_not_checked(string parameters, bool says)
    {
        var seen = ConsoleChecks.Encryption(DatabaseUrl.ToConnectionString($"postgres://u:p@h/app?{parameters}"));

        Assert.Equal(says, seen.Contains("sslmode=verify-full", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("postgres://u:p@db.example.org/app", SslMode.Require, false)]
    [InlineData("postgres://u:p@my_db:5432/app", SslMode.Require, false)]
    [InlineData("postgres://u:p@127.0.0.1,10.0.0.7:5433/app", SslMode.Require, false)]
    [InlineData("postgres://u:p@10.0.0.7/app?sslmode=prefer", SslMode.Prefer, true)]
    [InlineData("postgres://u:p@my_db/app?sslmode=disable", SslMode.Disable, true)]
    [InlineData("postgres://u:p@127.0.0.1:5433/app", SslMode.Prefer, false)]
    [InlineData("postgres://u:p@localhost:5432,127.0.0.1/app", SslMode.Prefer, false)]
    [InlineData("postgres://u:p@[::1]:5432/app", SslMode.Prefer, false)]
    [InlineData("postgres:///app?host=/var/run/postgresql", SslMode.Prefer, false)]
    public void A_remote_connection_is_encrypted_unless_the_address_says_otherwise(string url, SslMode mode, bool isOpen)
    {
        Assert.Equal(mode, Read(url).SslMode);
        Assert.Equal(isOpen, DatabaseUrl.IsOpen(DatabaseUrl.ToConnectionString(url)));
    }

    [Theory]
    [InlineData("postgres://u:secret@db.example.org/app?sslmode=prefer", true)]
    [InlineData("postgres://u:secret@db.example.org/app", false)]
    [InlineData("postgres://u:secret@127.0.0.1/app", false)]
    public async Task Diagnostics_warns_of_a_remote_connection_that_is_not_encrypted(string url, bool warns)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("DATABASE_URL", url)]).Build();
        await using var services = new ServiceCollection().AddLogging().AddDatabase(configuration).BuildServiceProvider();
        // The check reads only settings and never connects.
        var checks = new ConsoleChecks(
            null!,
            null!,
            null!,
            services.GetRequiredService<IDbContextFactory<AutoTicketDbContext>>(),
            Options.Create(new FreeScoutOptions()),
            Options.Create(new SlackOptions()),
            Options.Create(new DiagnosticsOptions()),
            TimeProvider.System
        );

        var finding = await checks.EncryptionAsync(default);

        Assert.Equal(warns ? DiagnosticState.Warning : DiagnosticState.Ok, finding.State);
        Assert.Equal(warns, finding.Seen.Contains("beyond this machine: DATABASE_URL.", StringComparison.Ordinal));
        Assert.DoesNotContain("secret", finding.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Parameters_of_libpq_are_read()
    {
        var read = Read(
            "postgres://u:p@h1,h2/app?sslrootcert=/etc/ca.pem&sslcert=/c.pem&sslkey=/k.pem&sslpassword=x%20y&sslnegotiation=direct"
                + "&channel_binding=require&gssencmode=disable&connect_timeout=5&application_name=console&options=-c%20search_path%3Dops"
                + "&target_session_attrs=read-write"
        );

        Assert.Equal(("/etc/ca.pem", "/c.pem"), (read.RootCertificate, read.SslCertificate));
        Assert.Equal(("/k.pem", "x y"), (read.SslKey, read.SslPassword));
        Assert.Equal(SslNegotiation.Direct, read.SslNegotiation);
        Assert.Equal(ChannelBinding.Require, read.ChannelBinding);
        Assert.Equal(GssEncryptionMode.Disable, read.GssEncryptionMode);
        Assert.Equal((5, "console", "-c search_path=ops"), (read.Timeout, read.ApplicationName, read.Options));
        Assert.Equal("read-write", read.TargetSessionAttributes);
    }

    [Theory]
    [InlineData("postgres://u:p@h/app", true)]
    [InlineData("postgres://u:p@h/app?pgbouncer=false", true)]
    [InlineData("postgres://u:p@h/app?pgbouncer=true", false)]
    [InlineData("postgres://u:p@h:6432/app", false)]
    [InlineData("postgres://u:p@aws-0-eu-central-1.pooler.supabase.com:6543/postgres", false)]
    [InlineData("postgres://u:p@ep-cool-123456-pooler.eu-central-1.aws.neon.tech/neondb", false)]
    public void Behind_a_pooler_no_statement_is_prepared(string url, bool prepares) => Assert.Equal(prepares, Read(url).MaxAutoPrepare > 0);

    [Theory]
    [InlineData("garbage-secret", "postgres://user:password@host:port/database")]
    [InlineData("mysql://u:secret@h/app", "postgres://user:password@host:port/database")]
    [InlineData("Host=h;Username=u;Password=secret", "postgres://user:password@host:port/database")]
    [InlineData("postgres://u:secret@h", "postgres://user:password@host:port/database")]
    [InlineData("postgres://u:secret@h/", "postgres://user:password@host:port/database")]
    [InlineData("postgres:///app", "postgres://user:password@host:port/database")]
    [InlineData("postgres://u:secret@h1,,h2/app", "postgres://user:password@host:port/database")]
    [InlineData("'postgres://u:secret@h/app'", "quotes")]
    [InlineData("postgres://u:sec#ret@h/app", "%23")]
    [InlineData("postgres://u:sec/ret@h/app", "%2F")]
    [InlineData("postgres://u:sec?ret@h/app", "%3F")]
    [InlineData("postgres://u:sec@ret@h/app", "%40")]
    [InlineData("postgres://u:100%secret@h/app", "%25")]
    [InlineData("postgres://u:secret@h:port/app", "a port that is not a number from 1 to 65535")]
    [InlineData("postgres://u:secret@h:0/app", "a port that is not a number from 1 to 65535")]
    [InlineData("postgres://u:secret@h/app?port=0", "a port that is not a number from 1 to 65535")]
    // The operator escaped the @ before the host too, or left the host out.
    [InlineData("postgres://u:sec%40ret%40h:5432/app", "postgres://user:password@host:port/database")]
    [InlineData("postgres://u:s?sec%40ret%40h:5432/app", "postgres://user:password@host:port/database")]
    [InlineData("postgres://u:secret/app", "a port that is not a number from 1 to 65535")]
    [InlineData("postgres://u:secret@h/app?sslmode=maybe", "must be one of disable, allow, prefer, require, verify-ca, verify-full")]
    [InlineData("postgres://u:secret@h/app?sslmode=2", "sslmode=2; it must be one of disable")]
    [InlineData("postgres://u:secret@h/app?sslmode=require,disable", "it must be one of disable")]
    [InlineData("postgres://u:secret@h/app?connect_timeout=soon", "connect_timeout")]
    [InlineData("postgres://u:secret@h/app?target_session_attrs=mine", "target_session_attrs=mine; it must be one of any, read-write")]
    [InlineData("postgres://u:secret@h/app?connection_limit=1", "“connection_limit”, which the console does not know. Remove it")]
    public void An_unusable_address_is_refused_with_what_to_change_and_without_the_password(string url, string expected)
    {
        var refusal = Assert.Throws<ConfigurationException>(() => DatabaseUrl.ToConnectionString(url)).Message;

        Assert.StartsWith("DATABASE_URL ", refusal, StringComparison.Ordinal);
        Assert.Contains(expected, refusal, StringComparison.Ordinal);
        Assert.DoesNotContain("sec", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_text_is_read_or_refused_with_one_sentence()
    {
        var random = new Random(15);
        string[] pieces =
        [
            "postgres://",
            "u",
            ":",
            "@",
            "/",
            "?",
            "#",
            "%",
            "%41",
            "[",
            "]",
            ",",
            "&",
            "=",
            "host",
            "sslmode",
            "require",
            "port",
            "5432",
            "\0",
            "\ud83d",
            "é",
            "'",
            "\"",
            ";",
            " ",
            "\n",
        ];
        for (var i = 0; i < 20_000; i++)
        {
            var url = string.Concat(random.GetItems(pieces, random.Next(12)));
            url = i % 2 == 0 ? "postgres://" + url : url;
            try
            {
                new NpgsqlConnectionStringBuilder(DatabaseUrl.ToConnectionString(url)).ToString();
            }
            catch (ConfigurationException refusal)
            {
                Assert.StartsWith("DATABASE_URL ", refusal.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task Of_several_hosts_the_one_that_answers_is_used()
    {
        await using var database = await TestDatabase.CreateAsync(Database.Postgres);
        var hosts = $"@127.0.0.1:{LoopbackPort.Next()},127.0.0.1";
        var url = $"{database.Location.Replace("@127.0.0.1", hosts, StringComparison.Ordinal)}?target_session_attrs=read-write";
        var settings = new Dictionary<string, string?> { ["DATABASE_URL"] = url };

        await using var console = await ConsoleHost.StartAsync(database, settings: settings);

        (await console.Http.GetAsync("/healthz/ready")).EnsureSuccessStatusCode();
        Assert.DoesNotContain(console.Log, line => line.Contains("can't be reached", StringComparison.Ordinal));
        Assert.DoesNotContain(console.Log, line => line.Contains("signals lost", StringComparison.Ordinal));
    }

    private static NpgsqlConnectionStringBuilder Read(string url) => new(DatabaseUrl.ToConnectionString(url));
}
