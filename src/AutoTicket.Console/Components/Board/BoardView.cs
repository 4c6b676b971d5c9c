namespace AutoTicket.Components.Board;

/// <summary>How the board shows its surfaces.</summary>
public enum BoardView
{
    Tiles,

    /// <summary>One row per surface, so that dozens fit on a screen.</summary>
    Dense,

    /// <summary>For a wall screen: readable from three meters, nothing to click.</summary>
    Wall,
}
