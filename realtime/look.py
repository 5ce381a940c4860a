"""What the user wants of the picture, beyond its background."""

from __future__ import annotations

from dataclasses import dataclass

VIEWS = ("composite", "matte", "cutout", "side-by-side")
FRAMES = ("whole", "follow")
KEYS = ("off", "green", "blue")
ROOMS = ("auto", "asked", "off")


# Where a presenter stands: the middle of the small picture, as shares of the frame's width and height. It is moved
# inside the frame, so that 0 and 1 are its edges.
PLACES = {
    "bottom-right": (1.0, 1.0),
    "bottom-left": (0.0, 1.0),
    "bottom": (0.5, 1.0),
    "right": (1.0, 0.5),
    "left": (0.0, 0.5),
    "top-right": (1.0, 0.0),
    "top-left": (0.0, 0.0),
    "top": (0.5, 0.0),
}
# How small a presenter may be, as a share of the frame's height.
SMALLEST_SHARE = 0.1


@dataclass(frozen=True)
class Presenter:
    """The person is shown small: the camera's picture, without the room, at a share of its size.

    x, y: the middle of the small picture, from 0 to 1, see PLACES. size: a share of the frame's width and height, from
    SMALLEST_SHARE to 1. Raises ValueError.
    """

    x: float
    y: float
    size: float

    def __post_init__(self) -> None:
        if not (0 <= self.x <= 1 and 0 <= self.y <= 1 and SMALLEST_SHARE <= self.size <= 1):
            raise ValueError(
                f"a presenter's place must be from 0 to 1, its size from {SMALLEST_SHARE} to 1, found {self}"
            )


@dataclass(frozen=True)
class Look:
    """Everything at its default changes nothing.

    edge_steps: -5 to 5, how far the person's edge is moved out. sharp_steps: 0 to 5, how much steeper it is. wrap,
    match: 0 to 10, how much of the background's light falls on the person's edge, and on the whole person. frame: one
    of FRAMES. view: one of VIEWS. presenter: see `Presenter`; None for the person at full size, as it also is in front
    of their own room. crossfade_s: how long one picture of the background turns into another. key: one of KEYS, the
    colour of a real screen behind the person. room: one of ROOMS, when the empty room is learnt; see
    `picture/learnt_room.py`.
    """

    edge_steps: float = 0.0
    sharp_steps: float = 0.0
    wrap: float = 0.0
    match: float = 0.0
    frame: str = "whole"
    view: str = "composite"
    presenter: Presenter | None = None
    crossfade_s: float = 0.0
    key: str = "off"
    room: str = "auto"

    @property
    def needs_matte(self) -> bool:
        """Whether the person has to be found even where the room itself is to be shown."""
        return self.view != VIEWS[0] or self.frame != FRAMES[0]

    def __post_init__(self) -> None:
        for name, allowed in (("view", VIEWS), ("frame", FRAMES), ("key", KEYS), ("room", ROOMS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, found {getattr(self, name)!r}")
