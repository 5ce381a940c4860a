"""What a running bgcam says of the empty room that it has learnt: never a picture of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RoomState = Literal["off", "unknown", "learning", "known", "unused"]


@dataclass(frozen=True)
class RoomStatus:
    """state: "off", "unknown" (nothing is learnt), "learning" (the user asked for it), "known", or "unused" (it does
    not fit now). failed: why it could not be learnt when the user asked last, "" if it was, or nobody asked."""

    state: RoomState = "unknown"
    failed: str = ""
