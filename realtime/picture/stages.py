"""The stages of the picture chain, in order. Each calls pure functions from a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import cv2
import numpy as np

from bgcam.realtime.background import small_picture
from bgcam.realtime.look import KEYS
from bgcam.realtime.picture.despill import find_spill
from bgcam.realtime.picture.edges import move_edge, sharpen_edge
from bgcam.realtime.picture.enlarge import Enlarged, whole_of
from bgcam.realtime.picture.foreground import near_colours
from bgcam.realtime.picture.framing import crop_frame
from bgcam.realtime.picture.guided_filter import bilinear_coefficients, guided_coefficients, luma_of
from bgcam.realtime.picture.key import FOUND, LOST, find_screen, key_coefficients, keyed_small, shows_background
from bgcam.realtime.picture.light_match import light_gains, light_table
from bgcam.realtime.picture.light_wrap import light_wrap
from bgcam.realtime.picture.presenter import box_of, seen_behind
from bgcam.realtime.picture.room_memory import remember
from bgcam.realtime.picture.temporal_filter import temporal_filter
from bgcam.realtime.picture.work import Memory, Work

Stage = Callable[[Memory, Work], None]

# The share by which the new light's gains follow a change, each frame.
LIGHT_FOLLOWS = np.float32(0.05)


def _temporal_filter(memory: Memory, work: Work) -> None:
    memory.kept = temporal_filter(work.coarse.alpha, luma_of(work.coarse.seen_bgr), memory.kept)
    work.coarse = replace(work.coarse, alpha=memory.kept.alpha)


def _room_memory(memory: Memory, work: Work) -> None:
    work.found = work.coarse.alpha
    alpha, memory.room = remember(work.coarse.alpha, luma_of(work.coarse.seen_bgr), memory.room)
    work.coarse = replace(work.coarse, alpha=alpha)


def _room_plate(memory: Memory, work: Work) -> None:
    if memory.independent:
        return
    found, before = work.found, work.coarse.alpha
    time_s = work.frame.time_s
    alpha = memory.learnt.step(before, work.coarse.seen_bgr, time_s=time_s, mode=memory.look.room)
    memory.doubt.step(before if found is None else found, alpha, time_s=time_s)
    work.coarse = replace(work.coarse, alpha=alpha)


def _framing(memory: Memory, work: Work) -> None:
    if memory.look.frame == "follow":
        crop = memory.follow.step(work.coarse.alpha, seconds=work.frame.time_s)
        work.frame, work.coarse = crop_frame(work.frame, work.coarse, crop)


def _edge(memory: Memory, work: Work) -> None:
    if memory.look.edge_steps or memory.look.sharp_steps:
        alpha = move_edge(work.coarse.alpha, steps=memory.look.edge_steps)
        work.coarse = replace(work.coarse, alpha=sharpen_edge(alpha, steps=memory.look.sharp_steps))


def _background(memory: Memory, work: Work) -> None:
    small = small_picture(memory.background, work.frame, work.coarse)
    if small is not None:  # of the camera's own room, which does not fade
        work.background = Enlarged(small, work.frame.size_wh)
        return
    background = memory.background.picture(work.frame, work.coarse)
    if background.shape != work.frame.room_bgr.shape:
        raise ValueError(f"{work.frame} does not fit a background of shape {background.shape}")
    work.background = memory.crossfade(background, time_s=work.frame.time_s, duration_s=memory.look.crossfade_s)


def _guided_filter(memory: Memory, work: Work) -> None:
    work.coefficients = guided_coefficients(work.coarse.alpha, luma_of(work.coarse.seen_bgr))


def _bilinear_filter(memory: Memory, work: Work) -> None:
    work.coefficients = bilinear_coefficients(work.coarse.alpha)


def _key(memory: Memory, work: Work) -> None:
    if memory.look.key == KEYS[0]:
        return
    least = LOST if memory.keyed else FOUND
    seen, alpha = work.coarse.seen_bgr, work.coarse.alpha
    work.screen = find_screen(seen, alpha, memory.look.key, frame_wh=work.frame.size_wh, least=least)
    memory.keyed = work.screen is not None
    if memory.keyed:
        memory.missed = 0
    elif shows_background(alpha):
        memory.missed += 1
    if work.screen is not None:
        work.coefficients = key_coefficients(alpha, work.screen)
        work.coarse = replace(work.coarse, alpha=keyed_small(alpha, seen, work.screen, work.coefficients))


def _light_match(memory: Memory, work: Work) -> None:
    work.person_bgr, work.person_seen = work.frame.room_bgr, work.coarse.seen_bgr
    if not memory.look.match or getattr(memory.background, "flat", False):
        return
    gains = light_gains(work.person_seen, work.coarse.alpha, whole_of(work.background), strength=memory.look.match)
    memory.gains = gains if memory.gains is None else memory.gains + LIGHT_FOLLOWS * (gains - memory.gains)
    table = light_table(memory.gains)
    work.person_bgr = np.asarray(cv2.LUT(work.person_bgr, table), np.uint8)
    work.person_seen = np.asarray(cv2.LUT(work.person_seen, table), np.uint8)


def _foreground(memory: Memory, work: Work) -> None:
    # Before the same room, the frame's own colours hide where the matte is wrong; the person's would show as a halo.
    if not memory.background.same_room or memory.look.view == "cutout":
        work.colours = near_colours(work.person_seen, work.coarse.alpha, frame_wh=work.frame.size_wh)


def _despill(memory: Memory, work: Work) -> None:
    if work.colours is not None:
        work.spill = find_spill(work.person_seen, work.coarse.alpha, frame_wh=work.frame.size_wh)


def _light_wrap(memory: Memory, work: Work) -> None:
    if memory.look.wrap and not getattr(memory.background, "flat", False):
        behind = whole_of(work.background)
        if memory.presenter is not None:
            behind = seen_behind(behind, box_of(memory.presenter, work.frame.size_wh))
        work.glow = light_wrap(work.coarse.alpha, behind, strength=memory.look.wrap)


# In this order. The table of what each gains and costs: `python -m bgcam.benchmarks picture`.
STAGES: Mapping[str, Stage] = {
    "temporal_filter": _temporal_filter,
    "room_memory": _room_memory,
    "room_plate": _room_plate,
    "framing": _framing,
    "edge": _edge,
    "background": _background,
    "guided_filter": _guided_filter,
    "key": _key,
    "light_match": _light_match,
    "foreground": _foreground,
    "despill": _despill,
    "light_wrap": _light_wrap,
}
# What runs in place of a stage that is left out, where the frame needs one.
INSTEAD: Mapping[str, Stage] = {"background": _background, "guided_filter": _bilinear_filter}
