namespace AutoTicket.Components.Board;

/// <summary>How the board shows its surfaces.</summary>
public enum BoardView
{
    Tiles,

    /// <summary>A row a surface, so that dozens fit on a screen.</summary>
    Dense,

    /// <summary>For a screen on the wall: what can be read from three metres, and nothing to click on.</summary>
    Wall,
}
