"""A run's parts put together, with all that keeps the room hidden: for the command, and for the tests that break it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bgcam.realtime.backgrounds import Background
from bgcam.realtime.drawing import Draw, Drawing
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.gpu.opening import Asked, offer_card
from bgcam.realtime.look import Look
from bgcam.realtime.matting import Matting
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.pipeline import Pipeline
from bgcam.realtime.safety import MatteCheck, SafeBackground
from bgcam.realtime.sources import Source
from bgcam.realtime.stall import GIVE_UP_S
from bgcam.realtime.still import StillMatting
from bgcam.realtime.watch import WATCHDOG_MS, Watch, patience_ms


def build_run(
    source: Source,
    background: Background,
    matting: Matting | None,
    look: Look,
    *,
    backend: str = "auto",
    threads: int = 0,
    packed: bool = False,
    watchdog_ms: float = WATCHDOG_MS,
    give_up_s: float = GIVE_UP_S,
    drawn_by: Callable[[SafeBackground, Look], Draw] = Chain,
) -> Pipeline[Any]:
    """A pipeline without sinks, and with a `watch`; the source's size is known for sure.

    matting: None shows the whole frame. backend, threads: as the user named them. packed: whether all outputs take
    I420. watchdog_ms, give_up_s: see `Watch`. drawn_by: makes what draws the picture. Raises what background and
    backend raise.
    """
    behind = SafeBackground(background, source.size_wh)
    check = MatteCheck() if background.needs_matte else None
    # A file is made once, so that it gets each frame's own matte; a call is to leave the machine alone.
    find = StillMatting(matting) if matting and source.live else matting or everything
    drawing = Drawing(find, drawn_by(behind, look), check=check)
    at_once = 1
    if matting:
        at_once = matting.prepare(source.size_wh).at_once
        asked = Asked(background, behind, look, source.size_wh, packed, check)
        offer_card(drawing, matting, asked, backend=backend, threads=threads)
        if drawing.card is not None or drawing.open_card is not None:
            at_once = 1  # a card's frames set out in order
    watch = Watch(behind, watchdog_ms=patience_ms(watchdog_ms, source.fps), give_up_s=give_up_s)
    return Pipeline(source, drawing.begin, drawing.finish, [], workers=at_once, watch=watch, give_up_s=watch.give_up_s)


def everything(frame: CameraFrame) -> CoarseMatte:
    """A matte that keeps the whole frame, for when the user asked to see the room."""
    return CoarseMatte(frame.number, np.ones((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8))
