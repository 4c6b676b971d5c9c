namespace AutoTicket.Sandbox;

/// <summary>The sandbox's own pages: what is looked at, and never spoilt by a fault.</summary>
internal sealed class SandboxPages(SandboxRooms rooms)
{
    public Answer Handle(RecordedRequest request) => Answer.Text(404, rooms.Log.All.Count + request.Path);
}
