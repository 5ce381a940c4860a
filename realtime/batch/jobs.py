"""What workers are given to do, and what they say became of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from bgcam.realtime.batch.naming import Unit

# What to do with a unit: all of it at once; or cut it into parts, do one of these, and join them. See `segments`.
Step = Literal["whole", "cut", "part", "join"]
# The last three are not the end of the unit: it was cut, a part of it is done, or it has to be done as a whole.
Status = Literal["done", "failed", "stop", "cut", "part", "whole"]
FINAL: tuple[Status, ...] = ("done", "failed")


class Job(msgspec.Struct, frozen=True):
    """A unit, and what it replaces: the sha256 of an output that is there now, "" for none. part: which one to do."""

    unit: Unit
    replaces: str = ""
    step: Step = "whole"
    part: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a unit. reason: why it has no output, for "failed"; why all is to stop, for "stop"; why it was not
    cut, for "whole".

    unread: it could not be read at all, as when a bucket refuses. frames: how many were processed; of_frames: how many
    the whole output has, if those are others. part: which one is done. left: the parts that are to do after "cut".
    in_one_piece: why a long video was not cut.
    """

    unit: Unit
    status: Status
    reason: str = ""
    unread: bool = False
    frames: int = 0
    of_frames: int = 0
    background_only: int = 0
    took_s: float = 0.0
    worker: str = ""
    part: int = 0
    left: list[int] = []
    in_one_piece: str = ""
