"""What an output gets while something fails, and which mattes are refused: the room never shows by accident."""
