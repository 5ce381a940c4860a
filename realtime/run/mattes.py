"""Mattes and cutouts of files: of a picture at once, of a video as a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgcam.realtime.background import Background
from bgcam.realtime.backgrounds.blur import Room
from bgcam.realtime.backgrounds.nothing import Nothing
from bgcam.realtime.frames import CameraFrame, CoarseMatte
from bgcam.realtime.look import Look
from bgcam.realtime.model.matting import Matting
from bgcam.realtime.model.second_look import EmptyFrames, SecondLook
from bgcam.realtime.picture.chain import Chain
from bgcam.realtime.picture.cutout import cut_out
from bgcam.realtime.picture.foreground import near_colours
from bgcam.realtime.picture.guided_filter import whole_matte
from bgcam.realtime.picture.views import gray_matte
from bgcam.realtime.run.build import build_run
from bgcam.realtime.run.pipeline import Pipeline
from bgcam.realtime.run.renderer import Draw
from bgcam.realtime.sources.base import Source


def gray(frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
    """(H, W) uint8: the matte, 255 where the person is."""
    return gray_matte(whole_matte(frame, coarse).alpha)


def cutout(frame: CameraFrame, coarse: CoarseMatte) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 BGRA: the person's own colours and alpha; where alpha is 0 the colours are 0, not the room's."""
    alpha = whole_matte(frame, coarse).alpha
    near = near_colours(coarse.seen_bgr, coarse.alpha, frame_wh=frame.size_wh)
    return cut_out(frame.room_bgr, alpha, near, None)


def matte_run(
    source: Source,
    matting: Matting,
    *,
    backend: str,
    far: bool,
    as_cutout: bool,
    drawn_by: Callable[[Background, Look], Draw] | None = None,
    empty: EmptyFrames | None = None,
) -> Pipeline[Any]:
    """The run that writes the mattes of a video, grey in all three channels, or its cutouts.

    source: its size must be known. backend: as the user named it. far: an empty frame is examined again.
    drawn_by: makes what draws a frame, `Chain` or `CutoutChain` unless given. empty: counts cutouts of nobody.
    """
    if as_cutout:
        given: dict[str, Any] = {"backend": backend, "far": far, "empty": empty, "drawn_by": drawn_by}
        return build_run(source, Nothing(), matting, Look(), transparent=True, **given)
    find = SecondLook(matting) if far else matting
    at_once = matting.prepare(source.size_wh).at_once
    return Pipeline(source, find, (drawn_by or Chain)(Room(), Look(view="matte")), workers=at_once)
