"""What the user wants of the picture, beyond its background."""

from __future__ import annotations

from dataclasses import dataclass

VIEWS = ("composite", "matte", "cutout", "side-by-side")
FRAMES = ("whole", "follow")
KEYS = ("off", "green", "blue")


@dataclass(frozen=True)
class Look:
    """Everything at its default changes nothing.

    edge_steps: -5 to 5, how far the person's edge is moved out. sharp_steps: 0 to 5, how much steeper it is. wrap,
    match: 0 to 10, how much of the background's light falls on the person's edge, and on the whole person. frame: one
    of FRAMES. view: one of VIEWS. key: one of KEYS, the colour of a real screen behind the person.
    """

    edge_steps: float = 0.0
    sharp_steps: float = 0.0
    wrap: float = 0.0
    match: float = 0.0
    frame: str = "whole"
    view: str = "composite"
    key: str = "off"

    @property
    def needs_matte(self) -> bool:
        """Whether the person has to be found even where the room itself is to be shown."""
        return self.view != VIEWS[0] or self.frame != FRAMES[0]

    def __post_init__(self) -> None:
        if self.view not in VIEWS or self.frame not in FRAMES or self.key not in KEYS:
            raise ValueError(f"view must be one of {VIEWS}, frame one of {FRAMES} and key one of {KEYS}, found {self}")
