"""Assembles a run, with everything that keeps the room hidden: for the command, and for tests that inject faults."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bgcam.realtime.background import Background
from bgcam.realtime.failsafe.matte_check import MatteCheck
from bgcam.realtime.failsafe.output_guard import WATCHDOG_MS, Watch, patience_ms
from bgcam.realtime.failsafe.placeholder import SafeBackground
from bgcam.realtime.failsafe.stall import GIVE_UP_S
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.gpu.select import Asked, gpu_opener, rescue_of
from bgcam.realtime.look import Look
from bgcam.realtime.model.backends import OnGpu
from bgcam.realtime.model.backends.warming import say_to_terminal
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.model.motion_gate import SamePicture, StillMatting
from bgcam.realtime.model.second_look import EmptyFrames, Finder, SecondLook
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.cutout import CutoutChain
from bgcam.realtime.run.pipeline import Pipeline
from bgcam.realtime.run.renderer import Draw, Drawing
from bgcam.realtime.sources.base import Source


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
    far: bool = False,
    empty: EmptyFrames | None = None,
    drawn_by: Callable[[SafeBackground, Look], Draw] | None = None,
    independent: bool = False,
    transparent: bool = False,
) -> Pipeline[Any]:
    """A pipeline with a `watch`, without sinks. Raises what background and backend raise.

    source: its size must be known.
    matting: None shows the whole frame.
    backend, threads: as the user named them.
    packed: whether all outputs take I420.
    watchdog_ms, give_up_s: see `Watch`.
    far: whether an empty frame is examined again.
    empty: counts such frames, if the processor composes the picture.
    drawn_by: makes the function that composes the picture; default: `Chain`.
    independent: the frames are unrelated pictures.
    transparent: give cutouts, not composed frames.
    """
    behind = SafeBackground(background, source.size_wh, transparent=transparent)
    find: Callable[[CameraFrame], CoarseMatte] = everything
    kept: StillMatting | SamePicture | None = None
    if matting:
        looks: Finder = SecondLook(matting, at_once=int(source.live and not independent)) if far else matting
        find = noted = empty.within(looks) if empty is not None else looks
        # A file is written once, so each frame gets its own matte; during a call, bgcam should leave the machine free.
        if source.live:
            find = kept = SamePicture(noted) if independent else StillMatting(noted)
    forget = kept.forget if isinstance(kept, StillMatting) else None
    check = MatteCheck(independent=independent, on_refusal=forget) if background.needs_matte else None
    if drawn_by is None:
        drawn_by = partial(CutoutChain if transparent else Chain, independent=independent)
    at_once = 1
    gpu: dict[str, Any] = {}  # by the names that `Drawing` gives them
    if matting:
        loaded = matting.prepare(source.size_wh)
        at_once = loaded.at_once
        asked = Asked(background, behind, look, source.size_wh, packed, check, model=matting.path)
        reasons = {"transparency": transparent, "single pictures": independent, "--far": far}
        lacking = next((what for what, wanted in reasons.items() if wanted), "")
        if not lacking:
            gpu = {
                "open_gpu": gpu_opener(loaded, matting.spec, asked),
                "rescue": rescue_of(matting, source.size_wh, backend=backend, threads=threads),
            }
        elif isinstance(loaded, OnGpu):
            say_to_terminal(f"the processor draws the picture: the GPU path does not support {lacking}")
    drawing = Drawing(find, drawn_by(behind, look), check=check, **gpu)
    drawing.prepare()
    if drawing.may_use_gpu:
        at_once = 1  # frames are submitted to a GPU in order
    watch = Watch(behind, watchdog_ms=patience_ms(watchdog_ms, source.fps), give_up_s=give_up_s)
    return Pipeline(source, drawing.begin, drawing.finish, workers=at_once, watch=watch, give_up_s=watch.give_up_s)


def everything(frame: CameraFrame) -> CoarseMatte:
    """A matte that keeps the whole frame, for when the user asked to see the room."""
    return CoarseMatte(frame.number, np.ones((1, 1), np.float32), np.zeros((1, 1, 3), np.uint8))
