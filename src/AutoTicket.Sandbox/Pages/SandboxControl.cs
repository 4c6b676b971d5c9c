using System.Text.Json;
using System.Text.Json.Nodes;

namespace AutoTicket.Sandbox;

/// <summary>
/// The switches for a test in another process: <c>/sandbox/faults</c> (GET, PUT a fault or a list of them in place of
/// those in force, POST one more, DELETE), <c>/sandbox/requests</c> (GET, DELETE) and <c>/sandbox/conversations</c> (GET).
/// </summary>
internal sealed class SandboxControl(SandboxRooms rooms)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        // A misspelt switch must not look like a fault that never strikes.
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow,
    };

    public Answer Handle(RecordedRequest request, string[] path)
    {
        switch (request.Method, path)
        {
            case ("GET", ["faults"]):
                return Answer.Json(
                    200,
                    rooms.Faults.Active.Select(active => new
                    {
                        active.Fault,
                        active.Hits,
                        active.IsHealed,
                    })
                );
            case ("PUT", ["faults"]):
                return Read(request, rooms.Faults.Replace);
            case ("POST", ["faults"]):
                return Read(request, faults => faults.ForEach(fault => rooms.Faults.Add(fault)));
            case ("DELETE", ["faults"]):
                rooms.Faults.Clear();
                return new Answer(204);
            case ("GET", ["requests"]):
                return Answer.Json(200, rooms.Log.All);
            case ("DELETE", ["requests"]):
                rooms.Log.Clear();
                return new Answer(204);
            case ("GET", ["conversations"]):
                return Answer.Json(200, rooms.FreeScout.Conversations);
            default:
                return SandboxPages.NotFound();
        }
    }

    private static Answer Read(RecordedRequest request, Action<List<Fault>> apply)
    {
        try
        {
            var node = JsonNode.Parse(request.Body);
            var faults = node is JsonArray ? node.Deserialize<List<Fault>>(Json)! : [node.Deserialize<Fault>(Json)!];
            if (faults.Contains(null!))
            {
                return Answer.Json(400, new { message = "A fault is an object." });
            }

            apply(faults);
            return new Answer(204);
        }
        catch (JsonException e)
        {
            return Answer.Json(400, new { message = e.Message });
        }
    }
}
