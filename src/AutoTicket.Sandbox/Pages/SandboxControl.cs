using System.Text.Json;
using System.Text.Json.Nodes;

namespace AutoTicket.Sandbox;

/// <summary>The control API for tests in another process.</summary>
/// <remarks><c>/sandbox/faults</c>: GET, PUT (replace by one fault or a list), POST (add), DELETE;
/// <c>/sandbox/requests</c>: GET, DELETE; <c>/sandbox/conversations</c>: GET.</remarks>
internal sealed class SandboxControl(SandboxParts parts)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        // A misspelled property must be an error, not a fault that never applies.
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow,
    };

    public Answer Handle(RecordedRequest request, string[] path)
    {
        switch (request.Method, path)
        {
            case ("GET", ["faults"]):
                return Answer.Json(
                    200,
                    parts.Faults.Active.Select(active => new
                    {
                        active.Fault,
                        active.Hits,
                        active.IsHealed,
                    })
                );
            case ("PUT", ["faults"]):
                return Read(request, parts.Faults.Replace);
            case ("POST", ["faults"]):
                return Read(request, faults => faults.ForEach(fault => parts.Faults.Add(fault)));
            case ("DELETE", ["faults"]):
                parts.Faults.Clear();
                return new Answer(204);
            case ("GET", ["requests"]):
                return Answer.Json(200, parts.Log.All);
            case ("DELETE", ["requests"]):
                parts.Log.Clear();
                return new Answer(204);
            case ("GET", ["conversations"]):
                return Answer.Json(200, parts.FreeScout.Conversations);
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
                return Answer.Json(400, new { message = "A fault must be an object." });
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
