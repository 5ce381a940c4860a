"""What the user wants of the picture, beyond its background."""

from __future__ import annotations

from dataclasses import dataclass

VIEWS = ("composite", "matte", "cutout", "side-by-side")
FRAMES = ("whole", "follow")
ROOMS = ("auto", "asked", "off")


@dataclass(frozen=True)
class Look:
    """Everything at its default changes nothing.

    edge_steps: -5 to 5, how far the person's edge is moved out. sharp_steps: 0 to 5, how much steeper it is. wrap,
    match: 0 to 10, how much of the background's light falls on the person's edge, and on the whole person. frame: one
    of FRAMES. view: one of VIEWS. room: one of ROOMS, when the empty room is learnt; see `picture/learnt_room.py`.
    """

    edge_steps: float = 0.0
    sharp_steps: float = 0.0
    wrap: float = 0.0
    match: float = 0.0
    frame: str = "whole"
    view: str = "composite"
    room: str = "auto"

    @property
    def needs_matte(self) -> bool:
        """Whether the person has to be found even where the room itself is to be shown."""
        return self.view != VIEWS[0] or self.frame != FRAMES[0]

    def __post_init__(self) -> None:
        if self.view not in VIEWS or self.frame not in FRAMES or self.room not in ROOMS:
            raise ValueError(f"view must be one of {VIEWS}, frame of {FRAMES} and room of {ROOMS}, found {self}")
