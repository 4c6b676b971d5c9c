namespace AutoTicket.Sandbox;

/// <summary>The initial data: several mailboxes, so that clients must find the right one.</summary>
internal static class FreeScoutSeed
{
    public const int OperationsMailbox = 3;
    public const int Operator = 2;

    public static readonly IReadOnlyList<SandboxMailbox> Mailboxes =
    [
        new(1, "Support", "support@sandbox.example"),
        new(2, "Sales", "sales@sandbox.example"),
        new(OperationsMailbox, "Operations", "operations@sandbox.example"),
        new(4, "Billing", "billing@sandbox.example"),
        new(5, "Press", "press@sandbox.example"),
    ];

    public static readonly IReadOnlyList<SandboxUser> Users =
    [
        new(1, "Ada", "Admin", "ada@sandbox.example", "admin"),
        new(Operator, "Olga", "Operator", "olga@sandbox.example", "user"),
        new(3, "Sam", "Support", "sam@sandbox.example", "user"),
        // Whom the console signs in automatically in Development.
        new(4, "Dana", "Developer", "dana@sandbox.example", "user"),
    ];

    public static SandboxUser? FindUser(long id) => Users.FirstOrDefault(user => user.Id == id);
}
